//! Two users with devices whose contents a test delivers in the order of its choice.

use plasma_identity::DeviceAddress;
use plasma_proto::content::v1::content::Body as PbBody;
use plasma_proto::content::v1::{self as pb};
use uuid::Uuid;

use crate::content::{self, Context};
use crate::device::{Device, write_ref};
use crate::event::Event;
use crate::message::{Message, MessageRef, MessageState};
use crate::store::chats::{self, KnownChat};
use crate::store::outbox::Route;
use crate::store::{Store, StoreError, messages};
use crate::testing::{CHAT, device_of};

/// A content on its way from a device.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) sender: DeviceAddress,
    pub(super) content: Vec<u8>,
}

/// One device.
pub(super) struct Actor {
    pub(super) device: Device,
    pub(super) chat: KnownChat,
}

impl Actor {
    pub(super) fn new(user: u128, device: u128, peer: u128) -> Self {
        Self::in_store(user, device, peer, Store::in_memory().unwrap())
    }

    pub(super) fn in_store(user: u128, device: u128, peer: u128, store: Store) -> Self {
        let device = device_of(user, Uuid::from_u128(device), store);
        let mut peer_user = device.user();
        peer_user.user = Uuid::from_u128(peer);
        let chat = KnownChat { id: CHAT, peer: peer_user, host_tenant: Uuid::from_u128(1) };
        device.inner.store.write(|tx| chats::insert(tx, chat)).unwrap();
        Self { device, chat }
    }

    /// Writes a content, as it would be sent.
    pub(super) fn write(&self, body: PbBody) -> Written {
        let chat = (!matches!(body, PbBody::AccountSettings(_))).then_some(self.chat);
        let outgoing = self
            .device
            .inner
            .store
            .write(|tx| self.device.write_down(tx, Route::Own, chat, body))
            .unwrap();
        Written { sender: self.device.address(), content: outgoing.content }
    }

    pub(super) fn text(&self, text: &str) -> (MessageRef, Written) {
        self.text_for(text, 0)
    }

    pub(super) fn text_for(&self, text: &str, seconds: u32) -> (MessageRef, Written) {
        let text = pb::Text {
            body: text.to_owned(),
            disappear_after_seconds: seconds,
            ..pb::Text::default()
        };
        let written = self.write(PbBody::Text(text));
        let id = content::read(&written.content).unwrap().id;
        (MessageRef { sender: written.sender, id }, written)
    }

    /// The service has taken a message of this device.
    pub(super) fn sent(&self, message: MessageRef, state: MessageState) {
        let (sender, id) = (message.sender, message.id);
        self.device.inner.store.write(|tx| messages::set_state(tx, sender, id, state)).unwrap();
    }

    pub(super) fn edit(&self, message: MessageRef, text: &str) -> Written {
        let (message, body) = (Some(write_ref(message)), text.to_owned());
        self.write(PbBody::Edit(pb::Edit { message, body }))
    }

    pub(super) fn delete(&self, message: MessageRef) -> Written {
        self.write(PbBody::Deletion(pb::Deletion { message: Some(write_ref(message)) }))
    }

    pub(super) fn react(&self, message: MessageRef, emoji: &str) -> Written {
        let (message, emoji) = (Some(write_ref(message)), emoji.to_owned());
        self.write(PbBody::Reaction(pb::Reaction { message, emoji }))
    }

    pub(super) fn receipt(&self, kind: pb::ReceiptKind, messages: &[MessageRef]) -> Written {
        let messages = messages.iter().copied().map(write_ref).collect();
        self.write(PbBody::Receipt(pb::Receipt { kind: kind.into(), messages }))
    }

    /// Marks everything up to a message as read; nothing is written where all was.
    pub(super) fn read_up_to(&self, message: MessageRef) -> Vec<Written> {
        let (_, outgoing) = self.device.write_down_read(self.chat, message).unwrap();
        let sender = self.device.address();
        outgoing.into_iter().map(|outgoing| Written { sender, content: outgoing.content }).collect()
    }

    /// Applies what another device has written.
    pub(super) fn take(&self, written: &Written) -> Vec<Event> {
        let opened = content::read(&written.content).expect("a content within its bounds");
        let context = Context {
            own: self.device.address(),
            sender: written.sender,
            sender_removed: false,
            is_written_here: false,
            chat: opened.chat.map(|_| self.chat),
            now_micros: self.device.inner.env.now_micros(),
            proof: None,
        };
        let apply = |tx: &rusqlite::Transaction<'_>| content::apply(tx, &context, &opened);
        self.device.inner.store.write::<_, StoreError>(apply).unwrap()
    }

    pub(super) fn history(&self) -> Vec<Message> {
        self.device.history(CHAT).unwrap()
    }

    pub(super) fn find(&self, message: MessageRef) -> Option<Message> {
        self.history().into_iter().find(|shown| shown.reference() == message)
    }

    pub(super) fn unread(&self) -> u64 {
        self.device.unread(CHAT).unwrap()
    }
}

/// Ann with two devices, and Bob with one.
pub(super) fn three() -> (Actor, Actor, Actor) {
    (Actor::new(1, 11, 2), Actor::new(1, 12, 2), Actor::new(2, 21, 1))
}
