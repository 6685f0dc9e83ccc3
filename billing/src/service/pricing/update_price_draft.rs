//! `PricingService.UpdatePriceDraft`.

use plasma_kit::Actor;
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::PriceDraftId;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::written;
use crate::error::{Error, Object, Refusal};
use crate::publication;
use crate::service::conclude;
use crate::store::price_drafts;
use crate::{Billing, wire};

/// Replaces what a draft says.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::UpdatePriceDraftRequest>,
) -> Result<pb::UpdatePriceDraftResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let definition = wire::read_definition(request.definition.as_ref(), key.tenant);
    let definition = definition.map_err(Error::from)?;
    let draft = PriceDraftId::checked(&request.price_draft_id);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    // Asked before the transaction, which waits for nobody; weighed within the claim.
    let known = publication::check_target(billing, &db, &definition.target).await;
    let key = Key::new(Actor::Key(key).caller(), "UpdatePriceDraft", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let (note, now) = (&request.note, billing.env.now());
    let replaced = match known {
        Ok(()) => price_drafts::replace(claim.tx(), draft, &definition, note, now)
            .await
            .map_err(Error::from)
            .and_then(|draft| draft.ok_or(Refusal::NotFound(Object::PriceDraft).into())),
        Err(error) => Err(error),
    };
    let response =
        replaced.map(|draft| pb::UpdatePriceDraftResponse { draft: Some(written::draft(&draft)) });
    conclude(claim, response).await
}
