//! `PricingService.ListPriceDrafts`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::written;
use crate::Billing;
use crate::error::Error;
use crate::store::price_drafts;

/// Lists drafts, newest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListPriceDraftsRequest>,
) -> Result<pb::ListPriceDraftsResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let list = format!("price-drafts/{}", key.tenant);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let rows = price_drafts::list(&db, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, |draft| {
        Cursor { key: draft.created_at.0, id: draft.id.0 }
    });
    Ok(pb::ListPriceDraftsResponse {
        drafts: page.iter().map(written::draft).collect(),
        next_page_token,
    })
}
