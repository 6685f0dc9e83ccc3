//! `PricingService.WithdrawPrice`.

use plasma_kit::Actor;
use plasma_kit::Timestamp;
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::db::TenantTx;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::PriceId;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use crate::error::{Error, Object, Refusal};
use crate::service::conclude;
use crate::store::prices::{self, Listed};
use crate::{Billing, wire};

/// Withdraws a version that has not taken effect yet.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::WithdrawPriceRequest>,
) -> Result<pb::WithdrawPriceResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let (price, now) = (PriceId::checked(&request.price_id), billing.now(key.tenant).await?);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let key = Key::new(Actor::Key(key).caller(), "WithdrawPrice", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let response = withdraw(claim.tx(), price, now)
        .await
        .map(|price| pb::WithdrawPriceResponse { price: Some(wire::price(&price)) });
    conclude(claim, response).await
}

async fn withdraw(tx: &TenantTx, id: PriceId, now: Timestamp) -> Result<Listed, Error> {
    let withdrawn = prices::withdraw(tx, id, now).await?;
    let listed = prices::get(tx, id).await?.ok_or(Refusal::NotFound(Object::Price))?;
    // One that was withdrawn before stays so.
    if !withdrawn && listed.withdrawn_at.is_none() {
        return Err(Refusal::PriceInEffect.into());
    }
    Ok(listed)
}
