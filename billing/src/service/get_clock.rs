//! `ClockService.GetClock`.

use plasma_kit::actor;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::clock;
use crate::Billing;
use crate::error::Error;

/// Gets a sandbox's time.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetClockRequest>,
) -> Result<pb::GetClockResponse, Error> {
    let key = actor::key(request)?;
    billing.require_sandbox(key.tenant).await?;
    let clock = billing.clock(key.tenant).await?;
    Ok(pb::GetClockResponse { clock: Some(clock::written(clock, billing.env.now())) })
}
