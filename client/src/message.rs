//! What a device shows: messages, their state, chats.

use plasma_identity::{DeviceAddress, UserAddress};
use plasma_proto::messaging::v1::DeliveryState;
use uuid::Uuid;

use crate::id::{ChatId, MessageId};
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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that is shown")]
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
