//! `MessageService.SendControl`: one envelope to one device, for the repair of sessions.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{ChatId, DeviceId, MessageId};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::EnvelopeClass;

use super::MessageService;
use super::dispatch::Dispatch;
use crate::Messaging;
use crate::domain::{Refusal, UserKey};

#[tracing::instrument(name = "messaging.send_control", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    service: &MessageService,
    device: DeviceActor,
    request: pb::SendControlRequest,
) -> Result<pb::SendControlResponse, Failure> {
    let messaging = &service.messaging;
    messaging.message_limits.admit(device)?;
    let chat = ChatId::checked_optional(&request.chat_id);
    let message = MessageId::checked(&request.message_id);
    let envelope = request.envelope.ok_or_else(|| Failure::invalid("envelope", "must be set"))?;
    let to = DeviceId::checked(&envelope.device_id);

    let user = reach(messaging, device, chat, to).await?;
    let own = (device.tenant, device.user);
    if user == own {
        service.control_limit.take(((device.tenant, device.device), to))?;
    } else {
        service.repair_limit.take_everywhere((own, user)).await?;
    }

    let mut dispatch = Dispatch::accept(messaging, device, chat, message, EnvelopeClass::Control);
    dispatch.add(user.0, vec![envelope], &[to]);
    let delivery = dispatch.deliver(false).await?.pop();
    Ok(pb::SendControlResponse { delivery })
}

/// The user of a device that the caller may reach: another of its own user or, in a chat, one of
/// the peer.
async fn reach(
    messaging: &Messaging,
    device: DeviceActor,
    chat: Option<ChatId>,
    to: DeviceId,
) -> Result<UserKey, Failure> {
    let directory = &messaging.directory;
    if let Some(chat) = chat {
        let membership = directory.membership(&device, chat).await?;
        membership.may_repair()?;
        let peer = directory.device_set(membership.peer.0, membership.peer.1).await?;
        if peer.contains(to) {
            return Ok(membership.peer);
        }
    }
    let own = directory.device_set(device.tenant, device.user).await?;
    if own.contains(to) && to != device.device {
        Ok((device.tenant, device.user))
    } else {
        Err(Refusal::DeviceNotFound.into())
    }
}
