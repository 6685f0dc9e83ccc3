//! `PricingService.GetPrice`.

use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::PriceId;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::store::prices;
use crate::wire;

/// Gets one price version.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetPriceRequest>,
) -> Result<pb::GetPriceResponse, Error> {
    let key = actor::key(request)?;
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let price = prices::get(&db, PriceId::checked(&request.get_ref().price_id)).await?;
    let price = price.ok_or(Refusal::NotFound(Object::Price))?;
    Ok(pb::GetPriceResponse { price: Some(wire::price(&price)) })
}
