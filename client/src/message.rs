//! What a device shows: messages, their state, and what happens while it listens.

use plasma_identity::{DeviceAddress, Fingerprint, UserAddress};
use plasma_proto::messaging::v1::DeliveryState;
use uuid::Uuid;

use crate::device::PendingReset;
use crate::error::Error;
use crate::id::{ChatId, MessageId};
use crate::not_shown::Undecryptable;
use crate::store::chats::KnownChat;

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The peer.
    Incoming,
    /// This user, on this device or another.
    Outgoing,
}

/// What became of a message. That of a message of this user never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// Written here and not accepted by the service yet; sent again by itself.
    Pending,
    /// Refused by the service for good.
    Failed,
    /// Accepted by the service for every device.
    Sent,
    /// On a device of the peer, as that device says.
    Delivered,
    /// Read by the peer, as a device of the peer says.
    Read,
    /// Came from the peer.
    Received,
}

/// One user's reaction to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Whose.
    pub user: UserAddress,
    /// The emoji.
    pub emoji: String,
}

/// Names one message: the device that wrote it and the id that this device gave it. The message
/// need not be known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageRef {
    /// The device that wrote it.
    pub sender: DeviceAddress,
    /// The id.
    pub id: MessageId,
}

/// A message as the person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mark of its own that an app shows")]
pub struct Message {
    /// The chat that the authenticated content names.
    pub chat: ChatId,
    /// The message.
    pub id: MessageId,
    /// The device that wrote it, authenticated.
    pub sender: DeviceAddress,
    /// Its place in the chat.
    pub lamport: u64,
    /// The text; after an edit the new one, after a deletion empty.
    pub text: String,
    /// When the sender's device says it was written, microseconds since 1970.
    pub write_micros: i64,
    /// Who wrote it.
    pub direction: Direction,
    /// What became of it.
    pub state: MessageState,
    /// Whether the sending device had been removed from its account when this arrived.
    pub from_removed_device: bool,
    /// The message that it answers, which need not be known here.
    pub reply_to: Option<MessageRef>,
    /// Whether its author has changed the text.
    pub edited: bool,
    /// Whether its author has withdrawn it.
    pub deleted: bool,
    /// Whether this user has read it, on whichever device; for what the peer wrote.
    pub read: bool,
    /// Reactions, one for each user at most.
    pub reactions: Vec<Reaction>,
    /// Seconds after which it disappears, counted from sending or from reading; 0 for never.
    pub disappear_after_seconds: u32,
    /// When it disappears, microseconds since 1970; `None` for never and while nothing counts.
    pub disappear_micros: Option<i64>,
}

impl Message {
    /// Names the message.
    pub fn reference(&self) -> MessageRef {
        MessageRef { sender: self.sender, id: self.id }
    }
}

/// A chat in the list of chats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatOverview {
    /// The chat.
    pub chat: KnownChat,
    /// The message in its last place.
    pub last: Option<Message>,
    /// Messages of the peer that this user has not read on any device.
    pub unread: u64,
    /// Until when the chat is silent, microseconds since 1970.
    pub mute_until_micros: Option<i64>,
    /// The disappearing timer, in seconds; 0 where there is none.
    pub disappear_after_seconds: u32,
}

/// What the service did with a message.
#[derive(Debug, Clone)]
pub struct SendReport {
    /// The message.
    pub message: MessageId,
    /// What became of the envelope of each device.
    pub deliveries: Vec<Delivery>,
}

/// What became of the envelope of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The device.
    pub device: Uuid,
    /// What became of it.
    pub state: DeliveryState,
}

impl SendReport {
    /// Counts the devices whose envelope is in a state.
    pub fn count(&self, state: DeliveryState) -> usize {
        self.deliveries.iter().filter(|delivery| delivery.state == state).count()
    }
}

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
