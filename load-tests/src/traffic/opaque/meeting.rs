//! How two opaque devices open a chat: one makes a link, the other opens it.

use std::sync::Arc;

use bytes::Bytes;
use plasma_identity::DeviceAddress;
use plasma_proto::billing::v1::AcceptedPrice;
use plasma_proto::messaging::v1 as pb;
use plasma_testkit::secret;
use prost::Message;

use super::super::Contact;
use super::super::session::{Credential, decode};
use super::OpaqueDevice;
use crate::generator::wire::frame;
use crate::meters::Happening;

const CREATE_LINK: &str = "/plasma.messaging.v1.LinkService/CreateLink";
const OPEN_CHAT: &str = "/plasma.messaging.v1.ChatService/OpenChat";

impl OpaqueDevice {
    /// Whether a chat of the two can be opened: they are of one platform and have none yet.
    pub fn may_meet(&self, other: &Self) -> bool {
        let are_of_one_platform = match (self.address(), other.address()) {
            (Some(own), Some(other)) => own.tenant == other.tenant && own.user != other.user,
            _ => false,
        };
        are_of_one_platform && self.chat_with(other.number).is_none()
    }

    /// Opens a chat with the user of another device, in which both can write then.
    pub async fn open_chat(&self, other: &Self) {
        let meters = &self.around.meters;
        match self.meet(other).await {
            Some(chat_id) => {
                for (own, peer) in [(self, other), (other, self)] {
                    own.add_contact(Contact {
                        chat_id: chat_id.clone(),
                        peer: peer.number,
                        peer_id: peer.id,
                        manifest_hash: peer.own_manifest_hash.clone(),
                    });
                }
                meters.count(Happening::ChatOpened);
            }
            None => meters.failed("a chat was not opened"),
        }
    }

    /// The id of a new chat; `None` where a call failed, which the meters have counted.
    async fn meet(&self, other: &Self) -> Option<String> {
        let request = pb::CreateLinkRequest { request_id: secret::request_id() };
        let answer: pb::CreateLinkResponse = other.ask(CREATE_LINK, &request).await?;
        let url = answer.link?.url;
        let (_, link_token) = url.rsplit_once('/')?;
        let request = pb::OpenChatRequest {
            request_id: secret::request_id(),
            link_token: link_token.to_owned(),
            accepted_price: Some(AcceptedPrice::default()),
        };
        let answer: pb::OpenChatResponse = self.ask(OPEN_CHAT, &request).await?;
        Some(answer.chat?.chat_id)
    }

    async fn ask<A: Message + Default>(&self, path: &str, request: &impl Message) -> Option<A> {
        let request: Bytes = frame(request).into();
        let answer = self.call_patiently(path, &request, None).await.ok()?;
        decode(&answer).ok()
    }

    fn address(&self) -> Option<DeviceAddress> {
        match &self.credential {
            Credential::Session { identity, .. } => Some(Arc::as_ref(identity).address()),
            Credential::Fixed(_) => None,
        }
    }
}
