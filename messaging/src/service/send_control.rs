//! `MessageService.SendControl`: one envelope to one device, for the repair of sessions.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId};
use plasma_proto::messaging::v1 as pb;

use super::MessageService;
use crate::delivery::Parcel;

#[tracing::instrument(name = "messaging.send_control", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    service: &MessageService,
    device: DeviceActor,
    request: pb::SendControlRequest,
) -> Result<pb::SendControlResponse, Failure> {
    let messaging = &service.messaging;
    let chat = ChatId::checked(&request.chat_id);
    let message = MessageId::checked(&request.message_id);
    let envelope = request.envelope.ok_or_else(|| Failure::invalid("envelope", "must be set"))?;
    let to = DeviceId::checked(&envelope.device_id);

    let membership = messaging.directory.membership(&device, chat).await?;
    membership.may_repair()?;
    let peer = messaging.directory.device_set(membership.peer.0, membership.peer.1).await?;
    let own = messaging.directory.device_set(membership.own.0, membership.own.1).await?;
    let tenant = if peer.devices.contains(&to) {
        membership.peer.0
    } else if own.devices.contains(&to) && to != device.device {
        membership.own.0
    } else {
        return Err(Failure::not_found("device"));
    };
    service.control_limit.take((device.device, to))?;

    let parcel = Parcel {
        envelope: EnvelopeId(messaging.env.uuid()),
        to: (tenant, to),
        chat,
        message,
        sender: device,
        ciphertext: envelope.ciphertext,
        accepted_at: messaging.env.now(),
    };
    let states = messaging.delivery.send(vec![parcel], false).await?;
    let delivery = states
        .first()
        .map(|state| pb::DeviceDelivery { device_id: to.to_string(), state: (*state).into() });
    Ok(pb::SendControlResponse { delivery })
}
