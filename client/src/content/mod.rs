//! What people tell each other inside the encryption: read, checked, and applied to the store.
//!
//! Owns the rules of every content: its bounds, who may send it, and what it changes. Every rule
//! gives the same end whatever arrives first, so that all devices of a user show the same. Does
//! **not** own encryption, sending or the tables (`store`).

mod read;
mod text;

use plasma_identity::DeviceAddress;
use rusqlite::Transaction;
use uuid::Uuid;

pub(crate) use read::read;

use crate::id::{ChatId, MessageId};
use crate::message::{Event, MessageRef};
use crate::store::StoreError;
use crate::store::chats::KnownChat;

/// A content that is within all bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The chat; `None` in what own devices tell each other about no chat.
    pub(crate) chat: Option<ChatId>,
    pub(crate) id: MessageId,
    /// The place in the chat; 0 in what has none.
    pub(crate) lamport: u64,
    /// When the sender's device says it was written, microseconds since 1970; 0 where it does not.
    pub(crate) write_micros: i64,
    pub(crate) body: Body,
}

/// What a content is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Text { text: String, reply_to: Option<MessageRef>, disappear_after_seconds: u32 },
    Receipt { kind: ReceiptKind, messages: Vec<MessageRef> },
    Typing { active: bool },
    Reaction { message: MessageRef, emoji: String },
    Edit { message: MessageRef, text: String },
    Deletion { message: MessageRef },
    DisappearingTimer { seconds: u32 },
    Forward { sender: DeviceAddress, content: Box<Opened> },
    DeviceName { device: Uuid, name: String, set_micros: i64 },
    ChatSettings { mute_until_micros: Option<i64>, set_micros: i64 },
    AccountSettings { send_read_receipts: bool, set_micros: i64 },
}

/// What a receipt says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiptKind {
    Delivered,
    Read,
}

impl Body {
    /// Tells whether one that is offered again must be recognised by its id: a text is known by its
    /// message, and a typing notice leaves no trace.
    pub(crate) fn is_noted(&self) -> bool {
        !matches!(self, Self::Text { .. } | Self::Typing { .. })
    }

    /// Tells whether only a user's own devices may send it to each other.
    pub(crate) fn is_for_own_devices(&self) -> bool {
        match self {
            Self::Forward { .. }
            | Self::DeviceName { .. }
            | Self::ChatSettings { .. }
            | Self::AccountSettings { .. } => true,
            Self::Text { .. }
            | Self::Receipt { .. }
            | Self::Typing { .. }
            | Self::Reaction { .. }
            | Self::Edit { .. }
            | Self::Deletion { .. }
            | Self::DisappearingTimer { .. } => false,
        }
    }
}

/// Under what a content is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    /// This device.
    pub(crate) own: DeviceAddress,
    /// The device that wrote the content: authenticated, or vouched for by an own device.
    pub(crate) sender: DeviceAddress,
    /// Whether that device had been removed from its account when the content arrived.
    pub(crate) sender_removed: bool,
    /// The chat that the content names, which the sender is in.
    pub(crate) chat: Option<KnownChat>,
    /// Now, microseconds since 1970.
    pub(crate) now_micros: i64,
}

impl Context {
    /// Tells whether a device of this user wrote the content.
    pub(crate) fn is_from_own_user(&self) -> bool {
        self.sender.user_address() == self.own.user_address()
    }

    /// Tells whether this device itself wrote the content, just now.
    pub(crate) fn is_from_this_device(&self) -> bool {
        self.sender == self.own
    }
}

/// Applies a content, received or about to be sent, and tells what it has changed.
pub(crate) fn apply(
    tx: &Transaction<'_>,
    context: &Context,
    opened: &Opened,
) -> Result<Vec<Event>, StoreError> {
    match &opened.body {
        Body::Text { .. } => text::apply(tx, context, opened),
        _ => Ok(Vec::new()),
    }
}
