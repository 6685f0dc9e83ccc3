//! `PricingService.PublishPriceDraft`.

use plasma_kit::Actor;
use plasma_kit::Timestamp;
use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::TenantClaim;
use plasma_kit::db::{StoreError, TenantDb, TenantTx};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::PriceDraftId;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use crate::error::{Error, Object, Refusal};
use crate::publication::{self, Publication};
use crate::service::conclude;
use crate::store::price_drafts::{self, PriceDraft};
use crate::store::prices::Listed;
use crate::{Billing, wire};

/// Publishes what a draft says, and deletes it.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::PublishPriceDraftRequest>,
) -> Result<pb::PublishPriceDraftResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let draft = PriceDraftId::checked(&request.price_draft_id);
    let from = request.effective_time.as_ref().map(convert::moment);
    let now = billing.now(key.tenant).await?;
    publication::check_moment(from, now).map_err(Error::from)?;
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    // Asked before the transaction, which waits for nobody; weighed within the claim.
    let known = find(billing, &db, draft).await;
    let key = Key::new(Actor::Key(key).caller(), "PublishPriceDraft", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let published = match known {
        Ok(draft) => publish(billing, claim.tx(), &draft, from, now).await,
        Err(error) => Err(error),
    };
    let response =
        published.map(|price| pb::PublishPriceDraftResponse { price: Some(wire::price(&price)) });
    conclude(claim, response).await
}

/// The draft, whose target still names somebody.
async fn find(billing: &Billing, db: &TenantDb, id: PriceDraftId) -> Result<PriceDraft, Error> {
    let draft = price_drafts::get(db, id).await?;
    let draft = draft.ok_or(Refusal::NotFound(Object::PriceDraft))?;
    publication::check_target(billing, db, &draft.definition.target).await?;
    Ok(draft)
}

async fn publish(
    billing: &Billing,
    tx: &TenantTx,
    draft: &PriceDraft,
    from: Option<Timestamp>,
    now: Timestamp,
) -> Result<Listed, Error> {
    if !price_drafts::take(tx, draft).await? {
        // A retry sees what became of it.
        let text = "the draft was replaced, deleted or published meanwhile";
        return Err(StoreError::Conflict(text.to_owned()).into());
    }
    Publication::new(draft.definition, from, now)?.publish(billing, tx).await
}
