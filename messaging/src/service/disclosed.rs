//! Whether the messages that a report discloses are what the service delivered to the reporter.

use plasma_kit::actor::DeviceActor;
use plasma_kit::convert;
use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId, TenantId, UserId};
use plasma_proto::messaging::v1 as pb;
use uuid::Uuid;

use crate::delivery::{Franking, Parcel};
use crate::domain::{Member, Refusal};

/// Refuses messages that the service did not deliver to this device from the chat's other user in
/// this chat, naming the field at fault.
pub(super) fn check(
    franking: &Franking,
    device: DeviceActor,
    member: &Member,
    messages: &[pb::DisclosedMessage],
) -> Result<(), Refusal> {
    messages.iter().enumerate().try_for_each(|(place, message)| {
        check_one(franking, device, member, message).map_err(|(field, rule)| Refusal::Undecodable {
            field: format!("messages[{place}].{field}"),
            rule,
        })
    })
}

/// Stands in for an envelope's own id, which the mark does not cover.
const NO_ENVELOPE: EnvelopeId = EnvelopeId(Uuid::nil());

type Fault = (&'static str, &'static str);

fn check_one(
    franking: &Franking,
    device: DeviceActor,
    member: &Member,
    message: &pb::DisclosedMessage,
) -> Result<(), Fault> {
    let envelope = message.envelope.as_ref().ok_or(("envelope", "must be set"))?;
    let parcel = delivered(device, envelope)?;
    if parcel.chat != Some(member.chat) {
        return Err(("envelope.chat_id", "must be the chat of the report"));
    }
    if (parcel.sender.tenant, parcel.sender.user) != member.peer {
        return Err(("envelope.sender", "must be a device of the chat's other user"));
    }
    if !franking.verifies(&parcel, &envelope.franking_tag) {
        let rule = "must be the service's mark on exactly this envelope to the calling device";
        return Err(("envelope.franking_tag", rule));
    }
    Ok(())
}

/// The envelope as it was on its way to the device, if the rest of it is true.
fn delivered(device: DeviceActor, envelope: &pb::Envelope) -> Result<Parcel, Fault> {
    let message = MessageId::checked_optional(&envelope.message_id)
        .ok_or(("envelope.message_id", "must be set"))?;
    let sender = envelope.sender.as_ref().ok_or(("envelope.sender", "must be set"))?;
    let time = envelope.accept_time.as_ref().ok_or(("envelope.accept_time", "must be set"))?;
    let accepted_at = convert::moment(time);
    if convert::timestamp(accepted_at) != *time {
        return Err(("envelope.accept_time", "must be in whole microseconds"));
    }
    Ok(Parcel {
        envelope: NO_ENVELOPE,
        to: (device.tenant, device.device),
        chat: ChatId::checked_optional(&envelope.chat_id),
        message,
        sender: DeviceActor {
            tenant: TenantId::checked(&sender.tenant_id),
            user: UserId::checked(&sender.user_id),
            device: DeviceId::checked(&sender.device_id),
        },
        ciphertext: envelope.ciphertext.clone(),
        accepted_at,
        // The mark does not cover it.
        class: envelope.envelope_class(),
    })
}
