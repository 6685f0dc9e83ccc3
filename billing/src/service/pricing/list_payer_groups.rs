//! `PricingService.ListPayerGroups`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::written;
use crate::Billing;
use crate::error::Error;
use crate::store::payer_groups;

/// Lists groups of payers, oldest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListPayerGroupsRequest>,
) -> Result<pb::ListPayerGroupsResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let list = format!("payer-groups/{}", key.tenant);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let rows = payer_groups::list(&db, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, |group| {
        Cursor { key: group.created_at.0, id: group.id.0 }
    });
    Ok(pb::ListPayerGroupsResponse {
        groups: page.into_iter().map(written::group).collect(),
        next_page_token,
    })
}
