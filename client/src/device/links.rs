//! Contact links: making one's own, and finding out who is behind another's.

use plasma_identity::{Fingerprint, UserAddress};
use plasma_proto::billing::v1::{Pass, Quote};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::link_service_client::LinkServiceClient;
use tonic::transport::Channel;

use super::{Device, Trust};
use crate::contact_link::ContactLink;
use crate::error::Error;
use crate::id::ChatId;
use crate::wire;

/// Who is behind a link, and what a chat costs.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The link.
    pub link: ContactLink,
    /// Its owner.
    pub owner: UserAddress,
    /// The fingerprint of the owner's account, for a person to compare.
    pub fingerprint: Fingerprint,
    /// How far the owner's identity is confirmed.
    pub trust: Trust,
    /// The owner's platform, as shown to people.
    pub platform_display_name: String,
    /// What opening a chat costs now.
    pub quote: Quote,
    /// The chat that the two have already.
    pub chat: Option<ChatId>,
    /// The pass in force for that chat.
    pub pass: Option<Pass>,
}

impl Device {
    /// Creates a contact link. It carries this account's fingerprint, so that whoever opens it
    /// needs to trust the service for nothing.
    pub async fn create_link(&self) -> Result<ContactLink, Error> {
        let request = pb::CreateLinkRequest { request_id: self.inner.env.request_id() };
        let operation = |channel: Channel, request| async move {
            LinkServiceClient::new(channel).create_link(request).await
        };
        let link = self.call(request, operation).await?.link.ok_or(Error::Answer("link"))?;
        ContactLink::new(link.url, self.own_account()?.fingerprint())
    }

    /// Finds out who is behind a link. Nothing is charged and nobody is told.
    ///
    /// Fails with [`Error::FingerprintMismatch`] when the service shows another account than the
    /// link names: then nothing more can be done with this answer.
    pub async fn resolve(&self, link: &ContactLink) -> Result<Resolved, Error> {
        let request = pb::ResolveLinkRequest { link_token: link.token().to_owned() };
        let operation = |channel: Channel, request| async move {
            LinkServiceClient::new(channel).resolve_link(request).await
        };
        let answer = self.call(request, operation).await?;
        let account = answer.owner.ok_or(Error::Answer("owner"))?;
        let owner = wire::read_user(account.user.as_ref())?;
        let learned = self.learn(owner, Some(&account), link.fingerprint())?;
        let chat = answer.chat_id.as_str();
        Ok(Resolved {
            link: link.clone(),
            owner,
            fingerprint: learned.known.account.fingerprint(),
            trust: learned.known.trust(),
            platform_display_name: answer.platform_display_name,
            quote: answer.quote.ok_or(Error::Answer("quote"))?,
            chat: if chat.is_empty() { None } else { Some(ChatId::parse(chat)?) },
            pass: answer.pass,
        })
    }
}
