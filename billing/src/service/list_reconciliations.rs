//! `ExternalWalletService.ListReconciliations`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::Error;
use crate::external::wire;
use crate::store::external::reconciliations::{self, Reconciliation};

/// Lists the tenant's reconciliations, the latest day first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListReconciliationsRequest>,
) -> Result<pb::ListReconciliationsResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let list = format!("reconciliations/{}", key.tenant);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let rows = reconciliations::list(&db, cursor, size).await?;
    let (page, next_page_token) =
        paging::page(&billing.secrets, &list, rows, size, Reconciliation::cursor);
    Ok(pb::ListReconciliationsResponse {
        reconciliations: page.iter().map(wire::reconciliation).collect(),
        next_page_token,
    })
}
