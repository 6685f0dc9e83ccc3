//! `SessionService.CreateChallenge`: something fresh for a device to sign.

use plasma_identity::DeviceAddress;
use plasma_kit::Failure;
use plasma_kit::rate::RateLimit;
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;

#[tracing::instrument(name = "messaging.create_challenge", skip_all)]
pub(super) fn handle(
    messaging: &Messaging,
    limit: &RateLimit<DeviceAddress>,
    request: &pb::CreateChallengeRequest,
) -> Result<pb::CreateChallengeResponse, Failure> {
    let device = contract::device(request.device.as_ref());
    limit.take(device)?;
    Ok(pb::CreateChallengeResponse { challenge: messaging.sessions.challenge(device).into() })
}
