//! An envelope on its way, and the frames in which nodes hand it to each other.

use bytes::Bytes;
use plasma_kit::Timestamp;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId, TenantId, UserId};
use plasma_proto::messaging::v1 as pb;
use uuid::Uuid;

use super::franking::Franking;

/// Names a device wherever it is connected.
pub(crate) type DeviceKey = (TenantId, DeviceId);

/// One ciphertext for one device, with the labels that the service puts on it.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) envelope: EnvelopeId,
    pub(crate) to: DeviceKey,
    /// `None` for what a user's own devices tell each other.
    pub(crate) chat: Option<ChatId>,
    pub(crate) message: MessageId,
    pub(crate) sender: DeviceActor,
    pub(crate) ciphertext: Bytes,
    pub(crate) accepted_at: Timestamp,
    /// What the sender says that it is.
    pub(crate) class: pb::EnvelopeClass,
}

impl Parcel {
    /// What the device is offered, with the service's mark.
    pub(crate) fn to_proto(&self, franking: &Franking) -> pb::Envelope {
        pb::Envelope {
            envelope_id: self.envelope.to_string(),
            chat_id: self.chat.map(|chat| chat.to_string()).unwrap_or_default(),
            message_id: self.message.to_string(),
            sender: Some(pb::DeviceAddress {
                tenant_id: self.sender.tenant.to_string(),
                user_id: self.sender.user.to_string(),
                device_id: self.sender.device.to_string(),
            }),
            ciphertext: self.ciphertext.clone(),
            accept_time: Some(plasma_kit::convert::timestamp(self.accepted_at)),
            franking_tag: Bytes::copy_from_slice(&franking.tag(self)),
            envelope_class: self.class.into(),
        }
    }

    /// What counts against the window of a device.
    pub(crate) fn bytes(&self) -> usize {
        self.ciphertext.len()
    }
}

/// What nodes tell each other about one device.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Frame {
    #[prost(bytes = "bytes", tag = "1")]
    tenant: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    device: Bytes,
    #[prost(oneof = "Body", tags = "3, 4, 5, 6, 7")]
    body: Option<Body>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
#[expect(clippy::large_enum_variant, reason = "a frame lives for one encoding or decoding")]
enum Body {
    #[prost(message, tag = "3")]
    Live(LiveFrame),
    #[prost(bool, tag = "4")]
    Stored(bool),
    #[prost(int64, tag = "5")]
    Takeover(i64),
    #[prost(bytes = "bytes", tag = "6")]
    Acknowledged(Bytes),
    #[prost(bytes = "bytes", tag = "7")]
    Refused(Bytes),
}

#[derive(Clone, PartialEq, prost::Message)]
struct LiveFrame {
    #[prost(bytes = "bytes", tag = "1")]
    from_node: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    envelope: Bytes,
    #[prost(bytes = "bytes", tag = "3")]
    chat: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    message: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    sender_tenant: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    sender_user: Bytes,
    #[prost(bytes = "bytes", tag = "7")]
    sender_device: Bytes,
    #[prost(int64, tag = "8")]
    accepted_at: i64,
    #[prost(bytes = "bytes", tag = "9")]
    ciphertext: Bytes,
    #[prost(int32, tag = "10")]
    class: i32,
}

/// What a frame says.
#[derive(Debug, Clone)]
pub(crate) enum Notice {
    /// To the device's channel: offer this now and tell the node what the device said.
    Live { from_node: Uuid, parcel: Parcel },
    /// To the device's channel: something was stored for it.
    Stored,
    /// To the device's channel: a stream with this number opened elsewhere.
    Takeover(i64),
    /// To a node or to the device's channel: the device acknowledged this envelope.
    Acknowledged(EnvelopeId),
    /// To a node: the device cannot take this envelope now.
    Refused(EnvelopeId),
}

/// Writes a frame.
pub(crate) fn encode(device: DeviceKey, notice: &Notice) -> Bytes {
    let body = match notice {
        Notice::Live { from_node, parcel } => Body::Live(LiveFrame {
            from_node: raw(*from_node),
            envelope: raw(parcel.envelope.0),
            chat: parcel.chat.map(|chat| raw(chat.0)).unwrap_or_default(),
            message: raw(parcel.message.0),
            sender_tenant: raw(parcel.sender.tenant.0),
            sender_user: raw(parcel.sender.user.0),
            sender_device: raw(parcel.sender.device.0),
            accepted_at: parcel.accepted_at.0,
            ciphertext: parcel.ciphertext.clone(),
            class: parcel.class.into(),
        }),
        Notice::Stored => Body::Stored(true),
        Notice::Takeover(number) => Body::Takeover(*number),
        Notice::Acknowledged(envelope) => Body::Acknowledged(raw(envelope.0)),
        Notice::Refused(envelope) => Body::Refused(raw(envelope.0)),
    };
    let frame = Frame { tenant: raw(device.0.0), device: raw(device.1.0), body: Some(body) };
    Bytes::from(prost::Message::encode_to_vec(&frame))
}

/// Reads a frame; `None` for one that a newer version wrote.
pub(crate) fn decode(payload: Bytes) -> Option<(DeviceKey, Notice)> {
    let frame = <Frame as prost::Message>::decode(payload).ok()?;
    let device = (TenantId(uuid(&frame.tenant)?), DeviceId(uuid(&frame.device)?));
    let notice = match frame.body? {
        Body::Live(live) => Notice::Live {
            from_node: uuid(&live.from_node)?,
            parcel: Parcel {
                envelope: EnvelopeId(uuid(&live.envelope)?),
                to: device,
                chat: if live.chat.is_empty() { None } else { Some(ChatId(uuid(&live.chat)?)) },
                message: MessageId(uuid(&live.message)?),
                sender: DeviceActor {
                    tenant: TenantId(uuid(&live.sender_tenant)?),
                    user: UserId(uuid(&live.sender_user)?),
                    device: DeviceId(uuid(&live.sender_device)?),
                },
                ciphertext: live.ciphertext,
                accepted_at: Timestamp(live.accepted_at),
                class: class(live.class),
            },
        },
        Body::Stored(_) => Notice::Stored,
        Body::Takeover(number) => Notice::Takeover(number),
        Body::Acknowledged(envelope) => Notice::Acknowledged(EnvelopeId(uuid(&envelope)?)),
        Body::Refused(envelope) => Notice::Refused(EnvelopeId(uuid(&envelope)?)),
    };
    Some((device, notice))
}

/// A class as it was written down. What names none comes from before there were classes, when all
/// was a message.
pub(crate) fn class(number: i32) -> pb::EnvelopeClass {
    match pb::EnvelopeClass::try_from(number) {
        Ok(pb::EnvelopeClass::Unspecified) | Err(_) => pb::EnvelopeClass::Message,
        Ok(class) => class,
    }
}

fn raw(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

fn uuid(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn parcel(number: u128, size: usize) -> Parcel {
        Parcel {
            envelope: EnvelopeId(Uuid::from_u128(number)),
            to: (TenantId(Uuid::from_u128(1)), DeviceId(Uuid::from_u128(2))),
            chat: Some(ChatId(Uuid::from_u128(3))),
            message: MessageId(Uuid::from_u128(number)),
            sender: DeviceActor {
                tenant: TenantId(Uuid::from_u128(4)),
                user: UserId(Uuid::from_u128(5)),
                device: DeviceId(Uuid::from_u128(6)),
            },
            ciphertext: Bytes::from(vec![7; size]),
            accepted_at: Timestamp(8),
            class: pb::EnvelopeClass::Notice,
        }
    }

    #[test]
    fn a_frame_reads_back_as_it_was_written() {
        let sent = parcel(9, 3);
        let own = Parcel { chat: None, ..parcel(12, 3) };
        let notices = [
            Notice::Live { from_node: Uuid::from_u128(10), parcel: own },
            Notice::Live { from_node: Uuid::from_u128(10), parcel: sent.clone() },
            Notice::Stored,
            Notice::Takeover(11),
            Notice::Acknowledged(sent.envelope),
            Notice::Refused(sent.envelope),
        ];
        for notice in notices {
            let (device, read) = decode(encode(sent.to, &notice)).unwrap();
            assert_eq!(device, sent.to);
            assert_eq!(format!("{read:?}"), format!("{notice:?}"));
        }
        assert!(decode(Bytes::from_static(b"nonsense")).is_none());
    }
}
