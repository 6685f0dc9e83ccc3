//! What happens while a device listens, and why it stops.

use plasma_identity::{Fingerprint, UserAddress};

use crate::device::PendingReset;
use crate::error::Error;
use crate::id::ChatId;
use crate::message::{Message, MessageRef, MessageState};
use crate::not_shown::Undecryptable;

/// What happens while a device listens.
#[derive(Debug)]
pub enum Event {
    /// The stream is open.
    Connected,
    /// A new message; a repeated one is never announced.
    Message(Message),
    /// A message shows another text.
    Edited {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageRef,
        /// The text now.
        text: String,
    },
    /// A message was withdrawn by its author.
    Deleted {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageRef,
    },
    /// A user has reacted to a message, or taken the reaction back.
    Reacted {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageRef,
        /// Who.
        user: UserAddress,
        /// The emoji; `None` where it was taken back.
        emoji: Option<String>,
    },
    /// A message of this user has come further: delivered or read.
    StateChanged {
        /// The chat.
        chat: ChatId,
        /// The message.
        message: MessageRef,
        /// How far.
        state: MessageState,
    },
    /// This user has read messages on another device.
    ReadElsewhere {
        /// The chat.
        chat: ChatId,
        /// The messages.
        messages: Vec<MessageRef>,
        /// How many are unread now.
        unread: u64,
    },
    /// The other user is writing, or no longer.
    Typing {
        /// The chat.
        chat: ChatId,
        /// Who.
        user: UserAddress,
        /// Whether the user is writing; ends by itself after six seconds.
        active: bool,
    },
    /// From now on messages of the chat disappear, or no longer do.
    DisappearingTimer {
        /// The chat.
        chat: ChatId,
        /// Who has set it.
        user: UserAddress,
        /// Seconds; 0 where it is switched off.
        seconds: u32,
    },
    /// Messages have disappeared.
    Expired {
        /// The chat.
        chat: ChatId,
        /// The messages.
        messages: Vec<MessageRef>,
    },
    /// A chat was silenced on another device of this user, or is heard again.
    Muted {
        /// The chat.
        chat: ChatId,
        /// Until when, microseconds since 1970; `None` where it is heard again.
        until_micros: Option<i64>,
    },
    /// Whether peers are told what was read has changed on another device of this user.
    ReadReceipts {
        /// Whether they are told.
        on: bool,
    },
    /// An envelope that is not shown; recorded and acknowledged.
    Undecryptable(Undecryptable),
    /// What an envelope announced as not shown was about is here now.
    Repaired {
        /// The service's id of the envelope that was not shown.
        envelope_id: String,
        /// The message that it was.
        message: MessageRef,
    },
    /// The service put another chat, message or sender on an envelope than the sender put inside
    /// it. What is inside counts.
    Relabelled {
        /// The service's id of the envelope.
        envelope_id: String,
    },
    /// A user's identity is not the one known before. Sending to it waits until it is accepted.
    IdentityChanged {
        /// Whose identity.
        user: UserAddress,
        /// The fingerprint known before.
        before: Fingerprint,
        /// The fingerprint shown now.
        now: Fingerprint,
    },
    /// Somebody whom the platform vouches for asks to begin this account anew. Tell the person;
    /// [`crate::Device::cancel_reset`] stops it.
    ResetPending(PendingReset),
    /// Everything that was stored for the device when the stream opened has been acknowledged.
    QueueEmpty,
    /// The connection is lost; another attempt follows by itself.
    Disconnected(Error),
    /// The device listens no more, and does not try again by itself.
    Stopped(StopCause),
}

/// Why a device stops listening.
#[derive(Debug)]
pub enum StopCause {
    /// A newer stream of the same device took over.
    ConflictingStream,
    /// The account's own signed list no longer names this device.
    Removed,
    /// The service takes the device's signature no more, and does not say why. A device that the
    /// account still lists is always taken.
    Unrecognised,
    /// The service takes the device's signature no more, after a reset of the account that it had
    /// announced was due.
    AccountReset,
    /// The service refuses the device: signed out, blocked or suspended.
    Refused(Error),
}

impl StopCause {
    /// Says what has happened and what to do, in words for a person.
    pub fn explain(&self) -> String {
        match self {
            Self::ConflictingStream => {
                "This device is being used in another window. Go on there, or open it here again."
                    .to_owned()
            }
            Self::Removed => {
                "This device was removed from the account by another of your devices. What it has \
                 received stays readable here. To use it again, link it as a new device."
                    .to_owned()
            }
            Self::Unrecognised => {
                "The service no longer knows this device. Most likely another of your devices removed \
                 it, or the account was begun anew; the service does not say which. Look at the list \
                 of devices on another one. If it was neither you nor your recovery key, cut the \
                 others off with your recovery key."
                    .to_owned()
            }
            Self::AccountReset => {
                "The account was begun anew, as was asked for, and this device is no longer part of \
                 it. What it has received stays readable here. Link it from the new device. If that \
                 was not you, tell the people you write with, and your platform."
                    .to_owned()
            }
            Self::Refused(error) => error.to_string(),
        }
    }
}
