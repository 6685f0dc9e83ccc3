//! `PricingService.CreatePayerGroup`.

use plasma_kit::Actor;
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::PayerGroupId;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::written;
use crate::Billing;
use crate::error::{Error, Refusal};
use crate::service::conclude;
use crate::store::payer_groups::{self, PayerGroup};

/// How many groups a tenant has at most.
const GROUPS_MAX: u64 = 200;

/// Creates a group of payers.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::CreatePayerGroupRequest>,
) -> Result<pb::CreatePayerGroupResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let key = Key::new(Actor::Key(key).caller(), "CreatePayerGroup", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let group = PayerGroup {
        id: PayerGroupId(billing.env.uuid()),
        display_name: request.display_name.clone(),
        created_at: billing.env.now(),
    };
    let created = match payer_groups::insert(claim.tx(), &group, GROUPS_MAX).await {
        Ok(true) => Ok(pb::CreatePayerGroupResponse { group: Some(written::group(group)) }),
        Ok(false) => Err(Error::from(Refusal::TooMany { what: "payer group", limit: GROUPS_MAX })),
        Err(error) => Err(error.into()),
    };
    conclude(claim, created).await
}
