//! `MessageService.SendOwn`: one message to every other device of the calling user.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{DeviceId, MessageId};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::EnvelopeClass;
use plasma_proto::messaging::v1::send_own_response::Outcome;

use super::MessageService;
use super::dispatch::{self, Dispatch, addressed, names};
use crate::Messaging;
use crate::domain::recipients::Mismatch;

#[tracing::instrument(name = "messaging.send_own", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    service: &MessageService,
    device: DeviceActor,
    request: pb::SendOwnRequest,
) -> Result<pb::SendOwnResponse, Failure> {
    let messaging = &service.messaging;
    messaging.message_limits.admit(device)?;
    let message = MessageId::checked(&request.message_id);
    let devices = addressed("envelopes", &request.envelopes)?;
    service.own_limit.take((device.tenant, device.device))?;

    let hash = &request.own_manifest_hash;
    if let Some(mismatch) = mismatch(messaging, device, hash, &devices).await? {
        let account = messaging.directory.account_state(device.tenant, device.user, 0).await?;
        let answer = pb::OwnDeviceMismatch {
            missing_device_ids: names(&mismatch.missing),
            extra_device_ids: names(&mismatch.extra),
            account: Some(account),
        };
        return Ok(pb::SendOwnResponse { outcome: Some(Outcome::Mismatch(answer)) });
    }

    let mut dispatch = Dispatch::accept(messaging, device, None, message, EnvelopeClass::Control);
    dispatch.add(device.tenant, request.envelopes, &devices);
    let deliveries = dispatch.deliver(false).await?;
    Ok(pb::SendOwnResponse { outcome: Some(Outcome::Accepted(pb::SendAccepted { deliveries })) })
}

/// As in `Send`: what is cached first and, where it differs, the store.
async fn mismatch(
    messaging: &Messaging,
    device: DeviceActor,
    manifest_hash: &[u8],
    devices: &[DeviceId],
) -> Result<Option<Mismatch>, Failure> {
    let directory = &messaging.directory;
    let sender = Some(device.device);
    let cached = directory.device_set(device.tenant, device.user).await?;
    if dispatch::compare(&cached, sender, manifest_hash, devices).is_none() {
        return Ok(None);
    }
    let fresh = directory.fresh_device_set(device.tenant, device.user).await?;
    Ok(dispatch::compare(&fresh, sender, manifest_hash, devices))
}
