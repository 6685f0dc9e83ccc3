//! `LedgerService.GetCheckpoint`.

use plasma_kit::actor::{self, Actor};
use plasma_kit::db::TenantClaim;
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::history::Seals;
use crate::store::history;
use crate::wire;

/// Gets the newest checkpoint of the caller's platform, and the service's keys.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetCheckpointRequest>,
) -> Result<pb::GetCheckpointResponse, Error> {
    let claim = match actor::of(request)? {
        Actor::Device(device) => TenantClaim::of_device(&device),
        Actor::Key(key) => TenantClaim::of_key(&key),
        Actor::Anyone | Actor::Operator | Actor::Enrollment(_) => {
            return Err(Failure::principal_not_allowed().into());
        }
    };
    let checkpoint = history::checkpoint(&billing.db.tenant(claim)).await?;
    let checkpoint = checkpoint.ok_or(Refusal::NotFound(Object::Checkpoint))?;
    let keys = Seals::derive(&billing.secrets).public();
    Ok(pb::GetCheckpointResponse {
        checkpoint: Some(wire::checkpoint(&checkpoint)),
        public_keys: keys.iter().map(|key| key.to_bytes().into()).collect(),
    })
}
