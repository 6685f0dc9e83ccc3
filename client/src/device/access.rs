//! What access to a chat costs, buying it again, and subscriptions.

use plasma_proto::billing::v1 as pb;
use plasma_proto::billing::v1::access_service_client::AccessServiceClient;
use tonic::transport::Channel;

use super::Device;
use crate::error::Error;
use crate::id::ChatId;

const SUBSCRIPTIONS_PAGE: i32 = 200;

/// What access to a chat costs a user now, and what it has.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The price. Its trial is there where this user may still have it.
    pub quote: pb::Quote,
    /// The pass in force, with how many messages of a bundle are spent.
    pub pass: Option<pb::Pass>,
    /// The subscription of this user in the chat that has not ended.
    pub subscription: Option<pb::Subscription>,
}

/// What a purchase brought.
#[derive(Debug, Clone)]
pub struct Purchased {
    /// The pass in force, or the one that extends it.
    pub pass: pb::Pass,
    /// The subscription, where the price was one.
    pub subscription: Option<pb::Subscription>,
}

/// Accepts a quote as it was shown, and its trial where it offers one.
pub fn accept(quote: &pb::Quote) -> pb::AcceptedPrice {
    quote.accepted()
}

/// Accepts a quote as it was shown and pays now, although it offers a trial.
pub fn accept_without_trial(quote: &pb::Quote) -> pb::AcceptedPrice {
    pb::AcceptedPrice { trial: false, ..quote.accepted() }
}

impl Device {
    /// Asks what writing in a chat costs now, and which pass is in force.
    pub async fn quote(&self, chat: ChatId) -> Result<Offer, Error> {
        let request = pb::GetQuoteRequest { chat_id: chat.to_string() };
        let operation = |channel: Channel, request| async move {
            AccessServiceClient::new(channel).get_quote(request).await
        };
        let answer = self.call(request, operation).await?;
        let quote = answer.quote.ok_or(Error::Answer("quote"))?;
        Ok(Offer { quote, pass: answer.pass, subscription: answer.subscription })
    }

    /// Buys access to a chat again at the price that the person accepted. Where the pass in force
    /// suffices nothing is charged, and it is the answer.
    ///
    /// Messages that waited for access are sent in the background.
    pub async fn renew(
        &self,
        chat: ChatId,
        accepted: pb::AcceptedPrice,
    ) -> Result<Purchased, Error> {
        self.purchase(chat, accepted, false).await
    }

    /// Buys more of the access that a chat has: time that begins where the pass in force ends, or
    /// another bundle of messages. Otherwise as [`Device::renew`].
    pub async fn extend(
        &self,
        chat: ChatId,
        accepted: pb::AcceptedPrice,
    ) -> Result<Purchased, Error> {
        self.purchase(chat, accepted, true).await
    }

    async fn purchase(
        &self,
        chat: ChatId,
        accepted: pb::AcceptedPrice,
        extend: bool,
    ) -> Result<Purchased, Error> {
        let request = pb::PurchaseAccessRequest {
            request_id: self.inner.env.request_id(),
            chat_id: chat.to_string(),
            accepted_price: Some(accepted),
            extend,
        };
        let operation = |channel: Channel, request| async move {
            AccessServiceClient::new(channel).purchase_access(request).await
        };
        let answer = self.call(request, operation).await?;
        self.flush_in_background();
        let pass = answer.pass.ok_or(Error::Answer("pass"))?;
        Ok(Purchased { pass, subscription: answer.subscription })
    }

    /// Lists the subscriptions that this user pays for, newest first, those that ended among them.
    pub async fn subscriptions(&self) -> Result<Vec<pb::Subscription>, Error> {
        let operation = |channel: Channel, request| async move {
            AccessServiceClient::new(channel).list_subscriptions(request).await
        };
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListSubscriptionsRequest {
                page_size: SUBSCRIPTIONS_PAGE,
                page_token,
                state: pb::SubscriptionState::Unspecified.into(),
            };
            let page = self.call(request, operation).await?;
            listed.extend(page.subscriptions);
            if page.next_page_token.is_empty() {
                return Ok(listed);
            }
            page_token = page.next_page_token;
        }
    }

    /// Ends a subscription, `subscription_…`, with the period that is paid.
    pub async fn cancel_subscription(&self, id: &str) -> Result<pb::Subscription, Error> {
        let request = pb::CancelSubscriptionRequest {
            request_id: self.inner.env.request_id(),
            subscription_id: id.to_owned(),
        };
        let operation = |channel: Channel, request| async move {
            AccessServiceClient::new(channel).cancel_subscription(request).await
        };
        let answer = self.call(request, operation).await?;
        answer.subscription.ok_or(Error::Answer("subscription"))
    }

    /// Undoes the cancellation of a subscription while its period runs.
    pub async fn undo_cancellation(&self, id: &str) -> Result<pb::Subscription, Error> {
        let request = pb::UndoCancellationRequest {
            request_id: self.inner.env.request_id(),
            subscription_id: id.to_owned(),
        };
        let operation = |channel: Channel, request| async move {
            AccessServiceClient::new(channel).undo_cancellation(request).await
        };
        let answer = self.call(request, operation).await?;
        answer.subscription.ok_or(Error::Answer("subscription"))
    }

    /// Accepts the other price that a subscription was shown with, from its next renewal on.
    ///
    /// Fails with [`Error::NoPriceChange`] where it was shown with none.
    pub async fn accept_price_change(
        &self,
        shown: &pb::Subscription,
    ) -> Result<pb::Subscription, Error> {
        let change = shown.price_change.as_ref().ok_or(Error::NoPriceChange)?;
        let quote = pb::Quote { price_id: change.price_id.clone(), terms: change.terms.clone() };
        let request = pb::AcceptPriceChangeRequest {
            request_id: self.inner.env.request_id(),
            subscription_id: shown.subscription_id.clone(),
            accepted_price: Some(accept_without_trial(&quote)),
        };
        let operation = |channel: Channel, request| async move {
            AccessServiceClient::new(channel).accept_price_change(request).await
        };
        let answer = self.call(request, operation).await?;
        answer.subscription.ok_or(Error::Answer("subscription"))
    }
}
