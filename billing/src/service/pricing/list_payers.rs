//! `PricingService.ListPayers`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::PayerGroupId;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::written;
use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::store::{payer_groups, payers};

/// Lists the payers of a group, in the order in which they came.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListPayersRequest>,
) -> Result<pb::ListPayersResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let group = PayerGroupId::checked(&request.payer_group_id);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    if payer_groups::get(&db, group).await?.is_none() {
        return Err(Refusal::NotFound(Object::PayerGroup).into());
    }
    let list = format!("payers/{}/{group}", key.tenant);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let rows = payers::list(&db, group, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, |payer| {
        Cursor { key: payer.created_at.0, id: payer.id }
    });
    Ok(pb::ListPayersResponse {
        payers: page.iter().map(written::payer).collect(),
        next_page_token,
    })
}
