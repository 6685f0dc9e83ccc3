//! `ClockService.AdvanceClock`.

use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::TenantClaim;
use plasma_kit::env::Timestamp;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::{clock, decline};
use crate::Billing;

/// Lets a sandbox's clock begin to move.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::AdvanceClockRequest>,
) -> Result<pb::AdvanceClockResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    billing.require_sandbox(key.tenant).await?;
    let target = request.time.as_ref().map_or(Timestamp(i64::MIN), convert::moment);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let caller = plasma_kit::Actor::Key(key).caller();
    let key = Key::new(caller, "AdvanceClock", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    match billing.begin_advance(claim.tx(), target).await {
        Ok(moving) => {
            let clock = clock::written(moving, billing.env.now());
            let response = pb::AdvanceClockResponse { clock: Some(clock) };
            claim.commit(&response).await.map_err(Failure::from)?;
            billing.clock_asked.notify_one();
            Ok(response)
        }
        Err(error) => decline(claim, error).await,
    }
}
