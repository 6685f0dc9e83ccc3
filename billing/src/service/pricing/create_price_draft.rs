//! `PricingService.CreatePriceDraft`.

use plasma_kit::Actor;
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::PriceDraftId;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::written;
use crate::error::{Error, Refusal};
use crate::publication;
use crate::service::conclude;
use crate::store::price_drafts::{self, PriceDraft};
use crate::{Billing, wire};

/// How many drafts a tenant has at most.
const DRAFTS_MAX: u64 = 200;

/// Creates a draft of a price.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::CreatePriceDraftRequest>,
) -> Result<pb::CreatePriceDraftResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let definition = wire::read_definition(request.definition.as_ref(), key.tenant);
    let definition = definition.map_err(Error::from)?;
    let now = billing.env.now();
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    // Asked before the transaction, which waits for nobody; weighed within the claim.
    let known = publication::check_target(billing, &db, &definition.target).await;
    let key = Key::new(Actor::Key(key).caller(), "CreatePriceDraft", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let draft = PriceDraft {
        id: PriceDraftId(billing.env.uuid()),
        definition,
        note: request.note.clone(),
        created_at: now,
        updated_at: now,
    };
    let created = match known {
        Ok(()) => match price_drafts::insert(claim.tx(), &draft, DRAFTS_MAX).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::TooMany { what: "price draft", limit: DRAFTS_MAX }.into()),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error),
    };
    let response =
        created.map(|()| pb::CreatePriceDraftResponse { draft: Some(written::draft(&draft)) });
    conclude(claim, response).await
}
