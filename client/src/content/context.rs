//! Under what a content is applied: who wrote it, where, and when it came.

use plasma_e2ee::Disclosure;
use plasma_identity::DeviceAddress;
use plasma_proto::messaging::v1::Envelope;
use rusqlite::Transaction;

use crate::message::MessageRef;
use crate::store::StoreError;
use crate::store::annotations::{self, Kind};
use crate::store::chats::KnownChat;
use crate::store::messages;

/// Under what a content is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// This device.
    pub(crate) own: DeviceAddress,
    /// The device that wrote the content: authenticated, or vouched for by an own device.
    pub(crate) sender: DeviceAddress,
    /// Whether that device had been removed from its account when the content arrived.
    pub(crate) sender_removed: bool,
    /// Whether this device writes the content now and is about to send it.
    pub(crate) is_written_here: bool,
    /// The chat that the content names, which the sender is in.
    pub(crate) chat: Option<KnownChat>,
    /// Now, microseconds since 1970.
    pub(crate) now_micros: i64,
    /// The envelope that the content came in, and what opens it for others.
    pub(crate) proof: Option<(&'a Envelope, &'a Disclosure)>,
}

impl Context<'_> {
    /// Tells whether a device of this user wrote the content.
    pub(crate) fn is_from_own_user(&self) -> bool {
        self.is_own(self.sender)
    }

    /// Tells whether a device is one of this user.
    pub(crate) fn is_own(&self, device: DeviceAddress) -> bool {
        device.user_address() == self.own.user_address()
    }

    /// Tells whether the content comes from the user who wrote a message.
    pub(crate) fn is_by_author(&self, message: MessageRef) -> bool {
        message.sender.user_address() == self.sender.user_address()
    }

    /// Tells whether a device is one of the two users of a chat.
    pub(crate) fn is_in(&self, chat: KnownChat, device: DeviceAddress) -> bool {
        self.is_own(device) || device.user_address() == chat.peer
    }

    /// Reads a moment that another device states: not after now, and now where it states none.
    pub(crate) fn moment(&self, stated_micros: i64) -> i64 {
        if stated_micros == 0 { self.now_micros } else { stated_micros.min(self.now_micros) }
    }
}

/// Tells whether a message was withdrawn or has disappeared: nothing is said about it any more.
pub(super) fn is_gone(
    tx: &Transaction<'_>,
    chat: KnownChat,
    message: MessageRef,
) -> Result<bool, StoreError> {
    Ok(annotations::find(tx, chat.id, message, Kind::Deletion)?.is_some()
        || messages::has_expired(tx, message)?)
}
