//! What a person does with messages: answers, reacts, changes, withdraws, reads.

use plasma_proto::content::v1 as pb;
use plasma_proto::content::v1::content::Body;

use super::Device;
use crate::content::RECEIPT_MESSAGES_MAX;
use crate::error::Error;
use crate::event::Event;
use crate::id::ChatId;
use crate::message::{ChatOverview, Message, MessageRef, SendReport};
use crate::store::chats::KnownChat;
use crate::store::outbox::{Outgoing, Route};
use crate::store::{annotations, evidence, expiry, history, messages, overview, settings};

impl Device {
    /// Sends a text to every device of the peer and every other device of this user.
    ///
    /// The message is in the history from now on. When the service is out of reach for longer than
    /// the endpoint's patience it stays [`Pending`](crate::MessageState::Pending), and is sent
    /// again, as the same message, by [`Device::flush_outbox`] or as soon as the device listens
    /// again. One that needs access which somebody must pay for first waits in the same way, and is
    /// sent once it was bought on this device; [`Error::access_needed`] says so. Any other refusal
    /// makes it [`Failed`](crate::MessageState::Failed).
    pub async fn send_text(&self, chat: ChatId, text: &str) -> Result<SendReport, Error> {
        self.send_content(chat, Body::Text(self.text(chat, text, None)?)).await
    }

    /// Sends a text that answers a message, like [`Device::send_text`].
    pub async fn send_reply(
        &self,
        chat: ChatId,
        text: &str,
        reply_to: MessageRef,
    ) -> Result<SendReport, Error> {
        self.send_content(chat, Body::Text(self.text(chat, text, Some(reply_to))?)).await
    }

    fn text(
        &self,
        chat: ChatId,
        text: &str,
        reply_to: Option<MessageRef>,
    ) -> Result<pb::Text, Error> {
        Ok(pb::Text {
            body: text.to_owned(),
            reply_to: reply_to.map(write_ref),
            disappear_after_seconds: self.inner.store.read(|db| settings::timer(db, chat))?,
        })
    }

    /// Reacts to a message; an empty emoji takes the reaction back.
    pub async fn react(
        &self,
        chat: ChatId,
        message: MessageRef,
        emoji: &str,
    ) -> Result<SendReport, Error> {
        self.shown(chat, message)?;
        let (message, emoji) = (Some(write_ref(message)), emoji.to_owned());
        self.send_content(chat, Body::Reaction(pb::Reaction { message, emoji })).await
    }

    /// Gives a message of this user another text, on every device that shows it.
    pub async fn edit(
        &self,
        chat: ChatId,
        message: MessageRef,
        text: &str,
    ) -> Result<SendReport, Error> {
        self.own_shown(chat, message)?;
        let (message, body) = (Some(write_ref(message)), text.to_owned());
        self.send_content(chat, Body::Edit(pb::Edit { message, body })).await
    }

    /// Withdraws a message of this user for all. Nothing of it stays on devices that follow the
    /// protocol; what somebody has copied or photographed does.
    pub async fn delete(&self, chat: ChatId, message: MessageRef) -> Result<SendReport, Error> {
        self.own_shown(chat, message)?;
        let message = Some(write_ref(message));
        self.send_content(chat, Body::Deletion(pb::Deletion { message })).await
    }

    /// Lets messages of a chat that are written from now on disappear after some seconds, a year at
    /// most; 0 switches that off.
    pub async fn set_disappearing_timer(
        &self,
        chat: ChatId,
        seconds: u32,
    ) -> Result<SendReport, Error> {
        let timer = pb::DisappearingTimer { seconds };
        self.send_content(chat, Body::DisappearingTimer(timer)).await
    }

    /// Tells those devices of the peer that are online now whether this user is writing. Repeat it
    /// every few seconds while that lasts; it is stored nowhere.
    pub async fn typing(&self, chat: ChatId, active: bool) -> Result<SendReport, Error> {
        self.send_ephemeral(chat, Body::Typing(pb::Typing { active })).await
    }

    /// Marks what the peer wrote as read, up to the place of a message, and returns how many
    /// messages that were.
    ///
    /// This user's other devices always learn of it, and the peer if
    /// [`Device::sends_read_receipts`]. What cannot be sent now is sent later by itself.
    pub async fn mark_read(&self, chat: ChatId, up_to: MessageRef) -> Result<usize, Error> {
        let known = self.known_chat(chat).await?;
        let (count, outgoing) = self.write_down_read(known, up_to)?;
        for outgoing in &outgoing {
            self.transmit_patiently(outgoing).await?;
        }
        Ok(count)
    }

    /// Marks messages as read here and keeps for sending what tells that.
    pub(crate) fn write_down_read(
        &self,
        known: KnownChat,
        up_to: MessageRef,
    ) -> Result<(usize, Vec<Outgoing>), Error> {
        self.inner.store.write(|tx| {
            let unread = messages::unread_up_to(tx, known.id, up_to)?
                .ok_or(Error::UnknownMessage(up_to.id))?;
            let told = settings::account(tx)?.send_read_receipts;
            let route = if told { Route::Chat(known.id) } else { Route::Own };
            let mut outgoing = Vec::new();
            for messages in unread.chunks(RECEIPT_MESSAGES_MAX) {
                let receipt = receipt(pb::ReceiptKind::Read, messages);
                outgoing.push(self.write_down(tx, route, Some(known), receipt)?);
            }
            Ok((unread.len(), outgoing))
        })
    }

    /// Counts what the peer wrote in a chat and this user has not read on any device.
    pub fn unread(&self, chat: ChatId) -> Result<u64, Error> {
        Ok(self.inner.store.read(|db| messages::unread(db, chat))?)
    }

    /// Lists the chats as they are shown, the one with the newest message first.
    pub fn chats_overview(&self) -> Result<Vec<ChatOverview>, Error> {
        Ok(self.inner.store.read(overview::list)?)
    }

    /// Lists a chat's messages as this device has them, in their order.
    pub fn history(&self, chat: ChatId) -> Result<Vec<Message>, Error> {
        Ok(self.inner.store.read(|db| history::list(db, chat))?)
    }

    /// Wipes messages whose time is over, and what is too old to be of use. Happens by itself when
    /// the device is opened and while it listens.
    pub fn expire_messages(&self) -> Result<Vec<Event>, Error> {
        let now = self.inner.env.now_micros();
        let gone = self.inner.store.write(|tx| expiry::expire(tx, now))?;
        self.forget_old_contents()?;
        let mut events = Vec::new();
        for of_a_chat in gone.chunk_by(|one, other| one.0 == other.0) {
            let chat = of_a_chat[0].0;
            let messages = of_a_chat.iter().map(|(_, message)| *message).collect();
            events.push(Event::Expired { chat, messages });
        }
        Ok(events)
    }

    /// Forgets what is too old to be of use, and overwrites what the log of the store still holds of
    /// it and of what was withdrawn.
    pub(super) fn forget_old_contents(&self) -> Result<(), Error> {
        let now = self.inner.env.now_micros();
        self.inner.store.write(|tx| {
            expiry::forget_expired(tx, now)?;
            annotations::forget_stale(tx, now)?;
            evidence::forget_old(tx, now)
        })?;
        Ok(self.inner.store.truncate_log()?)
    }

    fn shown(&self, chat: ChatId, message: MessageRef) -> Result<Message, Error> {
        let found = self.inner.store.read(|db| history::find(db, chat, message))?;
        found.filter(|found| !found.deleted).ok_or(Error::UnknownMessage(message.id))
    }

    fn own_shown(&self, chat: ChatId, message: MessageRef) -> Result<(), Error> {
        self.shown(chat, message)?;
        if message.sender.user_address() != self.user() {
            return Err(Error::NotTheAuthor(message.id));
        }
        Ok(())
    }
}

/// Writes a receipt for up to a hundred messages.
pub(super) fn receipt(kind: pb::ReceiptKind, messages: &[MessageRef]) -> Body {
    let messages = messages.iter().copied().map(write_ref).collect();
    Body::Receipt(pb::Receipt { kind: kind.into(), messages })
}

pub(crate) fn write_ref(message: MessageRef) -> pb::MessageRef {
    pb::MessageRef {
        sender: message.sender.to_bytes().to_vec().into(),
        message_id: message.id.0.as_bytes().to_vec().into(),
    }
}
