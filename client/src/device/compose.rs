//! Writing: a content is applied here and kept for sending in one transaction, before anything leaves.

use plasma_proto::content::v1::Content;
use plasma_proto::content::v1::content::Body;
use prost::Message as _;
use rusqlite::Transaction;

use super::Device;
use crate::content::{self, Context};
use crate::error::Error;
use crate::id::{ChatId, MessageId};
use crate::message::SendReport;
use crate::store::chats;
use crate::store::chats::KnownChat;
use crate::store::outbox::{self, Outgoing, Route};
use crate::wire;

impl Device {
    /// Applies a content here and sends it to every device of the peer and every other device of
    /// this user, like [`Device::send_text`]. Refuses while the peer's identity is a changed one.
    pub(crate) async fn send_content(&self, chat: ChatId, body: Body) -> Result<SendReport, Error> {
        let known = self.known_chat(chat).await?;
        self.sendable_account(known.peer).await?;
        let outgoing = self
            .inner
            .store
            .write(|tx| self.write_down(tx, Route::Chat(chat), Some(known), body))?;
        self.transmit(&outgoing).await
    }

    /// Applies a content here and sends it to every other device of this user; to nobody where
    /// there is none. `chat` is the chat that it is about, which need not be open.
    ///
    /// Kept and repeated like a message until the service has taken it.
    pub(crate) async fn send_own(
        &self,
        chat: Option<ChatId>,
        body: Body,
    ) -> Result<SendReport, Error> {
        let known = match chat {
            Some(chat) => Some(self.known_chat(chat).await?),
            None => None,
        };
        let outgoing = self.inner.store.write(|tx| self.write_down(tx, Route::Own, known, body))?;
        self.transmit(&outgoing).await
    }

    /// Sends a content to those devices that are online now. It is stored nowhere, tried once, and
    /// dropped for all others.
    pub(crate) async fn send_ephemeral(
        &self,
        chat: ChatId,
        body: Body,
    ) -> Result<SendReport, Error> {
        self.known_chat(chat).await?;
        let message = MessageId(self.inner.env.time_ordered_id());
        let content = self.encode(Some(chat), message, 0, body)?;
        self.transmit_ephemeral(chat, message, &content).await
    }

    /// Applies a content of this device and puts it into the outbox.
    pub(crate) fn write_down(
        &self,
        tx: &Transaction<'_>,
        route: Route,
        chat: Option<KnownChat>,
        body: Body,
    ) -> Result<Outgoing, Error> {
        let message = MessageId(self.inner.env.time_ordered_id());
        let lamport = match chat {
            Some(chat) if has_place(&body) => chats::next_lamport(tx, chat.id)?,
            _ => 0,
        };
        let encoded = self.encode(chat.map(|chat| chat.id), message, lamport, body)?;
        let opened = content::read(&encoded).ok_or(Error::InvalidContent)?;
        let context = Context {
            own: self.address(),
            sender: self.address(),
            sender_removed: false,
            is_written_here: true,
            chat,
            now_micros: self.inner.env.now_micros(),
            proof: None,
        };
        content::apply(tx, &context, &opened)?;
        let outgoing = Outgoing { message, route, content: encoded };
        outbox::insert(tx, &outgoing)?;
        Ok(outgoing)
    }

    pub(crate) fn encode(
        &self,
        chat: Option<ChatId>,
        message: MessageId,
        lamport: u64,
        body: Body,
    ) -> Result<Vec<u8>, Error> {
        let content = Content {
            chat_id: chat.map(|chat| chat.0.as_bytes().to_vec()).unwrap_or_default().into(),
            message_id: message.0.as_bytes().to_vec().into(),
            lamport,
            write_time: Some(wire::timestamp(self.inner.env.now_micros())),
            body: Some(body),
        }
        .encode_to_vec();
        if content.len() > plasma_e2ee::MAX_CONTENT_LENGTH {
            return Err(Error::TextTooLong);
        }
        Ok(content)
    }
}

/// Tells whether a content has a place in its chat.
fn has_place(body: &Body) -> bool {
    match body {
        Body::Text(_)
        | Body::Reaction(_)
        | Body::Edit(_)
        | Body::Deletion(_)
        | Body::DisappearingTimer(_) => true,
        Body::Receipt(_)
        | Body::Typing(_)
        | Body::Forward(_)
        | Body::DeviceName(_)
        | Body::ChatSettings(_)
        | Body::AccountSettings(_) => false,
    }
}
