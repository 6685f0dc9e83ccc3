//! What people tell each other inside the encryption: read, checked, and applied to the store.
//!
//! Owns the rules of every content: its bounds, who may send it, and what it changes. Every rule
//! gives the same end whatever arrives first, so that all devices of a user show the same. Does
//! **not** own encryption, sending or the tables (`store`).

mod class;
mod context;
mod deletion;
mod edit;
mod reaction;
mod read;
mod receipt;
mod setup;
#[cfg(test)]
mod tests;
mod text;
mod timer;

use plasma_identity::DeviceAddress;
use rusqlite::Transaction;

pub(crate) use class::Allows;
pub(crate) use context::Context;
pub(crate) use read::{
    RECEIPT_MESSAGES_MAX, read, read_account_settings, read_chat_settings, read_timer,
};

use crate::event::Event;
use crate::id::{ChatId, MessageId};
use crate::message::MessageRef;
use crate::store::chats::KnownChat;
use crate::store::device_names::NamedDevice;
use crate::store::settings::{AccountSetup, ChatSetup};
use crate::store::{StoreError, annotations, chats};

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
    Text(Text),
    Receipt { kind: ReceiptKind, messages: Vec<MessageRef> },
    Typing { active: bool },
    Reaction { message: MessageRef, emoji: String },
    Edit { message: MessageRef, text: String },
    Deletion { message: MessageRef },
    DisappearingTimer { seconds: u32 },
    Forward { sender: DeviceAddress, content: Box<Opened> },
    DeviceName(NamedDevice),
    ChatSettings(ChatSetup),
    AccountSettings(AccountSetup),
}

/// A text, what it answers, and for how long it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) body: String,
    pub(crate) reply_to: Option<MessageRef>,
    pub(crate) disappear_after_seconds: u32,
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
        !matches!(self, Self::Text(_) | Self::Typing { .. })
    }

    /// Tells whether only a user's own devices may send it to each other.
    pub(crate) fn is_for_own_devices(&self) -> bool {
        match self {
            Self::Forward { .. }
            | Self::DeviceName(_)
            | Self::ChatSettings(_)
            | Self::AccountSettings(_) => true,
            Self::Text(_)
            | Self::Receipt { .. }
            | Self::Typing { .. }
            | Self::Reaction { .. }
            | Self::Edit { .. }
            | Self::Deletion { .. }
            | Self::DisappearingTimer { .. } => false,
        }
    }
}

/// Applies a content, received or about to be sent, and tells what it has changed.
pub(crate) fn apply(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    opened: &Opened,
) -> Result<Vec<Event>, StoreError> {
    let Some(chat) = context.chat else {
        return match &opened.body {
            Body::AccountSettings(setup) => setup::apply_account(tx, *setup),
            Body::DeviceName(named) => setup::apply_name(tx, named),
            _ => Ok(Vec::new()),
        };
    };
    if opened.lamport > 0 {
        chats::observe_lamport(tx, chat.id, opened.lamport)?;
    }
    let events = apply_in(tx, context, chat, opened)?;
    annotations::bound_dangling(tx, chat.id, context.sender.user_address())?;
    Ok(events)
}

fn apply_in(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    chat: KnownChat,
    opened: &Opened,
) -> Result<Vec<Event>, StoreError> {
    match &opened.body {
        Body::Text(text) => text::apply(tx, context, chat, opened, text),
        Body::Receipt { kind, messages } => {
            receipt::apply(tx, context, chat, opened, *kind, messages)
        }
        Body::Typing { active } => {
            let user = context.sender.user_address();
            let active = *active;
            // Another own device's writing is nobody's news.
            let told = !context.is_from_own_user();
            Ok(told.then_some(Event::Typing { chat: chat.id, user, active }).into_iter().collect())
        }
        Body::Reaction { message, emoji } => {
            reaction::apply(tx, context, chat, opened, *message, emoji)
        }
        Body::Edit { message, text } => edit::apply(tx, context, chat, opened, *message, text),
        Body::Deletion { message } => deletion::apply(tx, context, chat, *message),
        Body::DisappearingTimer { seconds } => timer::apply(tx, context, chat, opened, *seconds),
        Body::ChatSettings(setup) => setup::apply_chat(tx, chat, *setup),
        // A forward is taken apart before; the others are about no chat.
        Body::Forward { .. } | Body::DeviceName(_) | Body::AccountSettings(_) => Ok(Vec::new()),
    }
}
