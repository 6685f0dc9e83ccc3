//! `AccessService.ListRefunds`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::Error;
use crate::store::refunds::{self, Row};
use crate::wire;

/// Lists the refunds of the platform's charges, newest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListRefundsRequest>,
) -> Result<pb::ListRefundsResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let list = format!("refunds/{}", key.tenant);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let rows = refunds::list(&db, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, Row::cursor);
    Ok(pb::ListRefundsResponse {
        refunds: page.iter().map(wire::refund).collect(),
        next_page_token,
    })
}
