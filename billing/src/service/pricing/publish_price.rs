//! `PricingService.PublishPrice`.

use plasma_kit::Actor;
use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use crate::error::Error;
use crate::publication::{self, Publication};
use crate::service::conclude;
use crate::{Billing, wire};

/// Publishes a new version of the price of a target.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::PublishPriceRequest>,
) -> Result<pb::PublishPriceResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let definition = wire::read_definition(request.definition.as_ref(), key.tenant);
    let definition = definition.map_err(Error::from)?;
    let from = request.effective_time.as_ref().map(convert::moment);
    let now = billing.now(key.tenant).await?;
    let publication = Publication::new(definition, from, now).map_err(Error::from)?;
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    // Asked before the transaction, which waits for nobody; weighed within the claim.
    let known = publication::check_target(billing, &db, &definition.target).await;
    let key = Key::new(Actor::Key(key).caller(), "PublishPrice", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let published = match known {
        Ok(()) => publication.publish(billing, claim.tx()).await,
        Err(error) => Err(error),
    };
    let response =
        published.map(|price| pb::PublishPriceResponse { price: Some(wire::price(&price)) });
    conclude(claim, response).await
}
