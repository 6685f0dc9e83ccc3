//! `PricingService.ListPrices`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::Error;
use crate::store::prices;
use crate::wire;

/// Lists the tenant's price versions, newest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListPricesRequest>,
) -> Result<pb::ListPricesResponse, Error> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let list = format!("prices/{}", key.tenant);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let rows = prices::list(&db, cursor, size).await?;
    let (page, next_page_token) = paging::page(&billing.secrets, &list, rows, size, |listed| {
        Cursor { key: listed.price.created_at.0, id: listed.price.id.0 }
    });
    Ok(pb::ListPricesResponse { prices: page.iter().map(wire::price).collect(), next_page_token })
}
