//! Chats: opening, blocking, closing.

use plasma_proto::billing::v1 as billing;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::chat_service_client::ChatServiceClient;
use tonic::transport::Channel;

use super::{Device, Resolved, Trust};
use crate::error::Error;
use crate::id::{self, ChatId};
use crate::not_shown::NotShown;
use crate::store::chats::{self, KnownChat};
use crate::store::undecryptable;
use crate::wire;

const CHATS_PAGE: i32 = 200;

/// A chat that was opened, with the permission to write in it.
#[derive(Debug, Clone)]
pub struct OpenChat {
    /// The chat.
    pub chat: KnownChat,
    /// The pass in force.
    pub pass: Option<billing::Pass>,
}

impl Device {
    /// Opens the chat with the owner of a resolved link at the price that the person accepted.
    ///
    /// Refuses while the owner's identity is a changed one that nobody has accepted.
    pub async fn open_chat(
        &self,
        resolved: &Resolved,
        accepted: billing::AcceptedPrice,
    ) -> Result<OpenChat, Error> {
        if let Some(Trust::Changed { before, now }) = self.trust(resolved.owner)? {
            let user = resolved.owner;
            return Err(Error::IdentityChanged { user, before, now });
        }
        let request = pb::OpenChatRequest {
            request_id: self.inner.env.request_id(),
            link_token: resolved.link.token().to_owned(),
            accepted_price: Some(accepted),
        };
        let operation = |channel: Channel, request| async move {
            ChatServiceClient::new(channel).open_chat(request).await
        };
        let answer = self.call(request, operation).await?;
        let chat = read_chat(answer.chat.as_ref())?;
        // The person opened a chat with the one behind the link, and with nobody else.
        if chat.peer != resolved.owner {
            return Err(Error::Answer("chat.peer"));
        }
        self.inner.store.write(|tx| chats::insert(tx, chat))?;
        Ok(OpenChat { chat, pass: answer.pass })
    }

    /// Lists this user's chats, newest first, and remembers them.
    pub async fn chats(&self) -> Result<Vec<pb::Chat>, Error> {
        let operation = |channel: Channel, request| async move {
            ChatServiceClient::new(channel).list_chats(request).await
        };
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListChatsRequest { page_size: CHATS_PAGE, page_token };
            let page = self.call(request, operation).await?;
            listed.extend(page.chats);
            if page.next_page_token.is_empty() {
                break;
            }
            page_token = page.next_page_token;
        }
        let known =
            listed.iter().map(|chat| read_chat(Some(chat))).collect::<Result<Vec<_>, _>>()?;
        self.inner
            .store
            .write(|tx| known.into_iter().try_for_each(|chat| chats::insert(tx, chat)))?;
        Ok(listed)
    }

    /// Blocks a chat: neither side can send until this user unblocks.
    pub async fn block(&self, chat: ChatId) -> Result<pb::Chat, Error> {
        let (request_id, chat_id) = (self.inner.env.request_id(), chat.to_string());
        let operation = |channel: Channel, request| async move {
            ChatServiceClient::new(channel).block_chat(request).await
        };
        let request = pb::BlockChatRequest { request_id, chat_id };
        self.call(request, operation).await?.chat.ok_or(Error::Answer("chat"))
    }

    /// Ends this user's block of a chat.
    pub async fn unblock(&self, chat: ChatId) -> Result<pb::Chat, Error> {
        let (request_id, chat_id) = (self.inner.env.request_id(), chat.to_string());
        let operation = |channel: Channel, request| async move {
            ChatServiceClient::new(channel).unblock_chat(request).await
        };
        let request = pb::UnblockChatRequest { request_id, chat_id };
        self.call(request, operation).await?.chat.ok_or(Error::Answer("chat"))
    }

    /// Closes a chat for good.
    pub async fn close(&self, chat: ChatId) -> Result<pb::Chat, Error> {
        let (request_id, chat_id) = (self.inner.env.request_id(), chat.to_string());
        let operation = |channel: Channel, request| async move {
            ChatServiceClient::new(channel).close_chat(request).await
        };
        let request = pb::CloseChatRequest { request_id, chat_id };
        self.call(request, operation).await?.chat.ok_or(Error::Answer("chat"))
    }

    /// Lists the reasons for which envelopes were not shown, oldest first.
    pub fn undecryptable_reasons(&self) -> Result<Vec<String>, Error> {
        Ok(self.inner.store.read(undecryptable::reasons)?)
    }

    /// Lists the envelopes that were not shown, oldest first, with what became of each.
    pub fn not_shown(&self) -> Result<Vec<NotShown>, Error> {
        let now = self.inner.env.now_micros();
        Ok(self.inner.store.read(|db| undecryptable::list(db, now))?)
    }

    /// Finds a chat, at the service where this device has not seen it yet.
    pub(crate) async fn known_chat(&self, id: ChatId) -> Result<KnownChat, Error> {
        match self.inner.store.read(|db| chats::load(db, id))? {
            Some(chat) => Ok(chat),
            None => self.fetch_chat(id).await,
        }
    }

    /// Asks the service for a chat of this user and remembers it.
    pub(crate) async fn fetch_chat(&self, id: ChatId) -> Result<KnownChat, Error> {
        let request = pb::GetChatRequest { chat_id: id.to_string() };
        let operation = |channel: Channel, request| async move {
            ChatServiceClient::new(channel).get_chat(request).await
        };
        let chat = read_chat(self.call(request, operation).await?.chat.as_ref())?;
        if chat.id != id {
            return Err(Error::Answer("chat.chat_id"));
        }
        self.inner.store.write(|tx| chats::insert(tx, chat))?;
        Ok(chat)
    }
}

fn read_chat(chat: Option<&pb::Chat>) -> Result<KnownChat, Error> {
    let chat = chat.ok_or(Error::Answer("chat"))?;
    Ok(KnownChat {
        id: ChatId::parse(&chat.chat_id)?,
        peer: wire::read_user(chat.peer.as_ref())?,
        host_tenant: id::parse("tenant", &chat.host_tenant_id)?,
    })
}
