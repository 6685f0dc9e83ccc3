//! `PricingService.DeletePriceDraft`.

use plasma_kit::Actor;
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::PriceDraftId;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use crate::Billing;
use crate::error::Error;
use crate::service::conclude;
use crate::store::price_drafts;

/// Deletes a draft, if it is there.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::DeletePriceDraftRequest>,
) -> Result<pb::DeletePriceDraftResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let draft = PriceDraftId::checked(&request.price_draft_id);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let key = Key::new(Actor::Key(key).caller(), "DeletePriceDraft", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let deleted = price_drafts::delete(claim.tx(), draft).await.map_err(Error::from);
    conclude(claim, deleted.map(|_| pb::DeletePriceDraftResponse {})).await
}
