//! Reads a content and holds every field against its bounds. What is out of bounds, or of a later
//! version, is no content at all: nothing of it is applied.

use plasma_identity::DeviceAddress;
use plasma_proto::content::v1 as pb;
use plasma_proto::content::v1::content::Body as PbBody;
use prost::Message as _;
use prost_types::Timestamp;
use uuid::Uuid;

use super::{Body, Opened, ReceiptKind, Text};
use crate::id::{ChatId, MessageId};
use crate::message::MessageRef;
use crate::store::chats::LAMPORT_MAX;
use crate::store::device_names::{self, NamedDevice};
use crate::store::read_device;
use crate::store::settings::{AccountSetup, ChatSetup, TimerSet};
use crate::wire;

/// Messages that one receipt names at most.
pub(crate) const RECEIPT_MESSAGES_MAX: usize = 100;
/// Bytes of an emoji at most.
pub(crate) const EMOJI_BYTES_MAX: usize = 64;
/// The longest time after which a message disappears: a year.
pub(crate) const DISAPPEAR_SECONDS_MAX: u32 = 31_536_000;
/// The last second of the year 9999.
const SECONDS_MAX: i64 = 253_402_300_799;

/// Reads a content; `None` for what this version does not know or what breaks a bound.
pub(crate) fn read(content: &[u8]) -> Option<Opened> {
    read_nested(content, true)
}

fn read_nested(content: &[u8], may_forward: bool) -> Option<Opened> {
    let content = pb::Content::decode(content).ok()?;
    let has_chat = !content.chat_id.is_empty();
    let chat = if has_chat { Some(ChatId(read_uuid(&content.chat_id)?)) } else { None };
    let opened = Opened {
        chat,
        id: MessageId(read_uuid(&content.message_id)?),
        lamport: content.lamport,
        write_micros: read_moment(content.write_time).ok()?.unwrap_or(0),
        body: read_body(content.body?, may_forward)?,
    };
    is_in_place(&opened).then_some(opened)
}

/// Tells whether the content names a chat, and has a place in it, exactly where it must.
fn is_in_place(opened: &Opened) -> bool {
    let ordered = (1..=LAMPORT_MAX).contains(&opened.lamport);
    let unordered = opened.lamport == 0;
    match &opened.body {
        Body::Text(_)
        | Body::Reaction { .. }
        | Body::Edit { .. }
        | Body::Deletion { .. }
        | Body::DisappearingTimer { .. } => opened.chat.is_some() && ordered,
        Body::Receipt { .. } | Body::Typing { .. } | Body::ChatSettings(_) => {
            opened.chat.is_some() && unordered
        }
        Body::Forward { .. } | Body::DeviceName(_) | Body::AccountSettings(_) => {
            opened.chat.is_none() && unordered
        }
    }
}

fn read_body(body: PbBody, may_forward: bool) -> Option<Body> {
    Some(match body {
        PbBody::Text(text) => Body::Text(Text {
            body: text.body,
            reply_to: match &text.reply_to {
                Some(message) => Some(read_ref(message)?),
                None => None,
            },
            disappear_after_seconds: read_disappear(text.disappear_after_seconds)?,
        }),
        PbBody::Receipt(receipt) => read_receipt(&receipt)?,
        PbBody::Typing(typing) => Body::Typing { active: typing.active },
        PbBody::Reaction(reaction) => Body::Reaction {
            message: read_ref(reaction.message.as_ref()?)?,
            emoji: at_most(reaction.emoji, EMOJI_BYTES_MAX)?,
        },
        PbBody::Edit(edit) => {
            Body::Edit { message: read_ref(edit.message.as_ref()?)?, text: edit.body }
        }
        PbBody::Deletion(deletion) => {
            Body::Deletion { message: read_ref(deletion.message.as_ref()?)? }
        }
        PbBody::DisappearingTimer(timer) => {
            Body::DisappearingTimer { seconds: read_disappear(timer.seconds)? }
        }
        PbBody::Forward(forward) if may_forward => Body::Forward {
            sender: read_address(&forward.sender)?,
            content: Box::new(read_nested(&forward.content, false)?),
        },
        PbBody::Forward(_) => return None,
        PbBody::DeviceName(name) => Body::DeviceName(NamedDevice {
            device: read_uuid(&name.device_id)?,
            set_micros: read_moment(name.set_time).ok()??,
            name: Some(name.name).filter(|name| device_names::is_valid(name))?,
        }),
        PbBody::ChatSettings(settings) => Body::ChatSettings(read_chat_settings(settings)?),
        PbBody::AccountSettings(settings) => {
            Body::AccountSettings(read_account_settings(settings)?)
        }
    })
}

fn read_receipt(receipt: &pb::Receipt) -> Option<Body> {
    let kind = match receipt.kind() {
        pb::ReceiptKind::Unspecified => return None,
        pb::ReceiptKind::Delivered => ReceiptKind::Delivered,
        pb::ReceiptKind::Read => ReceiptKind::Read,
    };
    if !(1..=RECEIPT_MESSAGES_MAX).contains(&receipt.messages.len()) {
        return None;
    }
    let messages = receipt.messages.iter().map(read_ref).collect::<Option<_>>()?;
    Some(Body::Receipt { kind, messages })
}

/// Reads how a chat is set up; `None` for what breaks a bound.
pub(crate) fn read_chat_settings(settings: pb::ChatSettings) -> Option<ChatSetup> {
    Some(ChatSetup {
        mute_until_micros: read_moment(settings.mute_until).ok()?,
        set_micros: read_moment(settings.set_time).ok()??,
    })
}

/// Reads how the account is set up; `None` for what breaks a bound.
pub(crate) fn read_account_settings(settings: pb::AccountSettings) -> Option<AccountSetup> {
    Some(AccountSetup {
        send_read_receipts: settings.send_read_receipts,
        set_micros: read_moment(settings.set_time).ok()??,
    })
}

/// Reads the timer of a chat as an approver knows it; `None` for what breaks a bound.
pub(crate) fn read_timer(timer: &pb::KnownTimer) -> Option<TimerSet> {
    let lamport = timer.lamport;
    (1..=LAMPORT_MAX).contains(&lamport).then_some(())?;
    let seconds = read_disappear(timer.seconds)?;
    Some(TimerSet { seconds, lamport, device: read_address(&timer.sender)? })
}

fn read_ref(message: &pb::MessageRef) -> Option<MessageRef> {
    Some(MessageRef {
        sender: read_address(&message.sender)?,
        id: MessageId(read_uuid(&message.message_id)?),
    })
}

fn read_disappear(seconds: u32) -> Option<u32> {
    (seconds <= DISAPPEAR_SECONDS_MAX).then_some(seconds)
}

fn at_most(text: String, bytes: usize) -> Option<String> {
    (text.len() <= bytes).then_some(text)
}

fn read_uuid(bytes: &[u8]) -> Option<Uuid> {
    Uuid::from_slice(bytes).ok()
}

fn read_address(bytes: &[u8]) -> Option<DeviceAddress> {
    read_device(bytes).ok()
}

/// A field that breaks its bound.
struct OutOfBounds;

/// Reads a moment as microseconds since 1970; `None` where it is unset.
fn read_moment(moment: Option<Timestamp>) -> Result<Option<i64>, OutOfBounds> {
    let valid = moment.is_none_or(|moment| {
        (0..=SECONDS_MAX).contains(&moment.seconds) && (0..1_000_000_000).contains(&moment.nanos)
    });
    if valid { Ok(moment.map(|moment| wire::micros(Some(moment)))) } else { Err(OutOfBounds) }
}
