//! `ExternalWalletService.ListExternalOperations`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::Error;
use crate::external::wire;
use crate::store::external::operations;

/// Lists what was asked of the tenant's own wallet, newest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListExternalOperationsRequest>,
) -> Result<pb::ListExternalOperationsResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let list = format!("external-operations/{}/{}", key.tenant, request.open_only);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let rows = operations::list(&db, request.open_only, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, |operation| {
        Cursor { key: operation.created_at.0, id: operation.id.0 }
    });
    Ok(pb::ListExternalOperationsResponse {
        operations: page.iter().map(wire::external_operation).collect(),
        next_page_token,
    })
}
