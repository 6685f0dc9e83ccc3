//! What access costs, and which pass is in force: the questions that messaging asks too.

use plasma_kit::changes::{self, Change};
use plasma_kit::db::{Scope, StoreError, TenantClaim, TenantTx};
use plasma_kit::ids::{ChatId, SubscriptionId, TenantId, UserId};
use plasma_kit::status::Failure;
use plasma_kit::{Env, Timestamp};
use plasma_proto::billing::v1 as pb;

use crate::Billing;
use crate::domain::charge::Charge;
use crate::domain::pass::{Party, Pass};
use crate::domain::quote::Quote;
use crate::domain::subscription::{State, Subscription};
use crate::error::{Error, Object, Refusal};
use crate::ports::Terms;
use crate::store::{BooksOf, passes, prices, subscriptions, trials};
use crate::wire;

impl Billing {
    /// Quotes what it costs a payer now to reach a recipient. The recipient's platform prices.
    ///
    /// Fails with `NOT_FOUND` (the recipient's tenant), `PRICE_NOT_SET`.
    pub async fn quote(
        &self,
        payer: (TenantId, UserId),
        recipient: (TenantId, UserId),
    ) -> Result<pb::Quote, Failure> {
        let payer = Party { tenant: payer.0, user: payer.1 };
        let (tenant, user) = recipient;
        let terms = self.tenants.terms(tenant).await?;
        let now = self.now(tenant).await?;
        let books = self.db.tenant(TenantClaim::of_peer(tenant));
        let quote = quote(&books, terms.as_ref(), (Some(payer), Some(user)), now).await?;
        Ok(wire::quote(&quote))
    }

    /// The pass that opens a chat now, as the contract writes it. The caller has shown that the
    /// chat is its own to ask about.
    pub async fn active_pass(&self, chat: ChatId) -> Result<Option<pb::Pass>, Failure> {
        Ok(self.pass_in_force(chat).await?.as_ref().map(wire::pass))
    }

    /// The pass that opens a chat now, of passes that follow each other the last, with its expiry as
    /// a moment to compare with: one look-up by a unique index on (chat, number of the pass).
    pub async fn pass_in_force(&self, chat: ChatId) -> Result<Option<Pass>, Failure> {
        // A chat may belong to two tenants, and either may keep its latest pass.
        let scope = self.db.tenant(TenantClaim::operator());
        let Some(latest) = passes::latest(&scope, chat).await? else { return Ok(None) };
        let now = self.now(latest.recipient.tenant).await?;
        Ok(latest.in_force(now).then_some(latest))
    }
}

/// The quote in force at `now` for a payer and a recipient, or for nobody in particular, in the
/// books of the recipient's tenant. A trial is part of it where the payer may still have it.
pub(crate) async fn quote(
    books: &impl Scope,
    terms: Option<&Terms>,
    (payer, recipient): (Option<Party>, Option<UserId>),
    now: Timestamp,
) -> Result<Quote, Error> {
    if terms.ok_or(Refusal::NotFound(Object::Tenant))?.free {
        return Ok(Quote::TenantIsFree);
    }
    let price = prices::in_force(books, payer, recipient, now).await?;
    let price = price.ok_or(Refusal::PriceNotSet)?;
    let quote = Quote::Priced(price);
    if let (Some(_), Some(payer), Some(recipient)) = (price.trial(), payer, recipient)
        && trials::had(books, payer, recipient).await?
    {
        return Ok(quote.without_trial());
    }
    Ok(quote)
}

/// Ends the access that a charge paid for, and its subscription, in a transaction that takes the
/// charge back. Gives the chat where anything ended.
pub(crate) async fn end(
    tx: &TenantTx,
    env: &Env,
    charge: &Charge,
    now: Timestamp,
) -> Result<Option<ChatId>, Error> {
    let chat = charge.obligation.chat;
    let Some(pass) = passes::of_charge(tx, chat, charge.id).await? else { return Ok(None) };
    let is_open = pass.in_force(now);
    if is_open {
        passes::end(&BooksOf::party(tx, pass.payer.tenant), &pass, now).await?;
    }
    let ended = match pass.subscription {
        Some(id) => end_subscription(tx, charge, id, now).await?,
        None => false,
    };
    if !is_open && !ended {
        return Ok(None);
    }
    changes::record(tx, env, Change::Chat(chat)).await?;
    Ok(Some(chat))
}

async fn end_subscription(
    tx: &TenantTx,
    charge: &Charge,
    id: SubscriptionId,
    now: Timestamp,
) -> Result<bool, Error> {
    let home = BooksOf::party(tx, charge.recipient.tenant);
    let Some(subscription) = subscriptions::get(&home, id).await? else { return Ok(false) };
    if !subscription.state.is_live() {
        return Ok(false);
    }
    let ended = Subscription { state: State::Ended(now), ..subscription.clone() };
    if !subscriptions::update(&home, &subscription, &ended, charge.money.currency()).await? {
        return Err(
            StoreError::Conflict("the subscription was renewed meanwhile".to_owned()).into()
        );
    }
    Ok(true)
}
