//! One renewal: the charge and the pass of one period, or what follows from a refusal.
//!
//! Whoever renews, a period is paid once: that it begins is a unique key, which a parallel renewal
//! waits for before any money moves. Leases and the order of the scheduler only save work.

use std::time::Duration;

use plasma_kit::changes::{self, Change};
use plasma_kit::db::{StoreError, TenantClaim, TenantTx};
use plasma_kit::env::Timestamp;
use plasma_kit::events::Event;
use plasma_kit::ids::{ChargeId, ChatId, PassId};

use crate::Billing;
use crate::domain::charge::Charge;
use crate::domain::money::Currency;
use crate::domain::pass::{Obligation, Pass, Source};
use crate::domain::price::{Mode, Price};
use crate::domain::subscription::{RENEWAL_SLACK, Renewal, State, Subscription};
use crate::error::Error;
use crate::external::reserve::{Captured, Debt, Funding};
use crate::ports::Terms;
use crate::purchase::{collect, split};
use crate::store::{BooksOf, passes, prices, subscriptions};

/// How often something else may take the number of the pass before a renewal gives up for now.
const ATTEMPTS: u32 = 16;

/// How long a subscription waits before it is looked at again while a platform is suspended.
const PAUSE: Duration = Duration::from_hours(1);

/// What became of a subscription that something may have been due for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A period was paid.
    Renewed,
    /// It ended, lapsed, or is past due.
    Moved,
    /// Nothing was due, or somebody else was first.
    Nothing,
}

/// What a renewal goes by.
struct Case {
    subscription: Subscription,
    /// The version that it was paid at.
    mine: Price,
    /// The version in force at the time when the period begins, however late it is renewed.
    current: Option<Price>,
    terms: Option<Terms>,
    now: Timestamp,
}

/// What is to be done for a subscription that is due.
enum Plan {
    /// Charge the next period at this price.
    Charge(Price),
    /// End it, and leave the chat open for nothing.
    Open,
    /// End it.
    End,
    /// Wait: one of the two platforms is suspended, and nobody is to pay for that time.
    Pause,
}

impl Billing {
    /// Renews the subscription of a chat, where something is due for one; `false` where nothing was.
    pub(crate) async fn renew_chat(&self, chat: ChatId) -> Result<bool, Error> {
        let scope = self.db.tenant(TenantClaim::operator());
        let Some(live) = subscriptions::live(&scope, chat).await? else { return Ok(false) };
        Ok(self.renew(live).await? != Outcome::Nothing)
    }

    /// Does what is due for a subscription, once; nothing where it has changed since it was read.
    pub(crate) async fn renew(&self, subscription: Subscription) -> Result<Outcome, Error> {
        let Some(case) = self.case(subscription).await? else { return Ok(Outcome::Nothing) };
        let plan = self.plan(&case).await?;
        let funding = match self.fund(&case, &plan).await {
            Ok(funding) => funding,
            Err(Error::Refused(_)) => {
                let Plan::Charge(price) = &plan else { return Ok(Outcome::Nothing) };
                let outcome = self.refuse(&case, price).await?;
                self.tell(&case, outcome).await;
                return Ok(outcome);
            }
            Err(error) => return Err(error),
        };
        let mut captured = None;
        let outcome = self.renew_with(&case, (&plan, &funding), &mut captured).await;
        self.close(funding, captured);
        let outcome = outcome?;
        self.tell(&case, outcome).await;
        Ok(outcome)
    }

    /// Has the period set aside at the payer's own wallet, where the payer has one.
    async fn fund(&self, case: &Case, plan: &Plan) -> Result<Funding, Error> {
        let Plan::Charge(price) = plan else { return Ok(Funding::Hosted) };
        let Some(money) = price.mode().money() else { return Ok(Funding::Hosted) };
        let Subscription { id, payer, next_period, .. } = &case.subscription;
        let obligation = format!("{id}/{next_period}");
        self.reserve(Debt { payer: *payer, obligation, money }).await
    }

    /// Does what is planned, in one transaction. `captured` is what a committed renewal marked.
    async fn renew_with(
        &self,
        case: &Case,
        (plan, funding): (&Plan, &Funding),
        captured: &mut Option<Captured>,
    ) -> Result<Outcome, Error> {
        let payer = case.subscription.payer.tenant;
        let tx = self.db.tenant(TenantClaim::of_peer(payer)).begin().await?;
        let mut marked = None;
        match (self.carry_out(&tx, case, (plan, funding), &mut marked).await, plan) {
            (Ok(Outcome::Nothing), _) => {
                tx.rollback().await?;
                Ok(Outcome::Nothing)
            }
            (Ok(outcome), _) => {
                tx.commit().await?;
                *captured = marked;
                Ok(outcome)
            }
            (Err(Error::Refused(_)), Plan::Charge(price)) => {
                // The money is not there: what was drawn up for it goes, and its want is written.
                tx.rollback().await?;
                self.refuse(case, price).await
            }
            (Err(error), _) => {
                tx.rollback().await?;
                Err(error)
            }
        }
    }

    /// Tells caches that access changed.
    async fn tell(&self, case: &Case, outcome: Outcome) {
        if outcome != Outcome::Nothing {
            self.events.emit(Event::ChatChanged(case.subscription.chat)).await;
        }
    }

    /// Reads what a renewal goes by; `None` where nothing is due.
    async fn case(&self, subscription: Subscription) -> Result<Option<Case>, Error> {
        let (payer, recipient) = (subscription.payer, subscription.recipient);
        let now = self.now(recipient.tenant).await?;
        if subscription.due_at().is_none_or(|due| now < due) {
            return Ok(None);
        }
        let home = self.db.tenant(TenantClaim::of_peer(recipient.tenant));
        let at = subscription.period_end;
        let current = prices::in_force(&home, Some(payer), Some(recipient.user), at).await?;
        let mine = match current {
            // One look-up where the price is the one that it was.
            Some(current) if current.id == subscription.price => current,
            _ => price_of(&home, &subscription).await?,
        };
        let terms = self.tenants.terms(recipient.tenant).await?;
        Ok(Some(Case { subscription, mine, current, terms, now }))
    }

    /// Decides what is to be done, from what the other contexts and the price list say.
    async fn plan(&self, case: &Case) -> Result<Plan, Error> {
        let Case { subscription, mine, current, terms, .. } = case;
        let payer = subscription.payer;
        let Some(terms) = terms else { return Ok(Plan::End) };
        let payers = self.tenants.terms(payer.tenant).await?;
        if terms.suspended || payers.is_none_or(|payers| payers.suspended) {
            return Ok(Plan::Pause);
        }
        let is_past_due = matches!(subscription.state, State::PastDue { .. });
        if subscription.cancel_at_period_end && !is_past_due {
            return Ok(Plan::End);
        }
        let parties = self.chats.parties(payer.tenant, payer.user, subscription.chat).await?;
        if parties.is_none_or(|parties| parties.closed || parties.blocked) {
            return Ok(Plan::End);
        }
        if terms.free {
            return Ok(Plan::Open);
        }
        Ok(match subscription.renewal(mine, current.as_ref().unwrap_or(mine)) {
            Renewal::At(price) => Plan::Charge(price),
            Renewal::Free => Plan::Open,
            Renewal::NotAccepted => Plan::End,
        })
    }

    async fn carry_out(
        &self,
        tx: &TenantTx,
        case: &Case,
        (plan, funding): (&Plan, &Funding),
        captured: &mut Option<Captured>,
    ) -> Result<Outcome, Error> {
        match plan {
            Plan::Charge(price) => self.charge(tx, case, (price, funding), captured).await,
            Plan::End => self.end(tx, case).await,
            Plan::Open => {
                let pass = (Source::Free, case.subscription.period_end, None);
                if self.grant(tx, case, pass).await?.is_none() {
                    return Ok(Outcome::Nothing);
                }
                self.end(tx, case).await
            }
            Plan::Pause => {
                let after = case.subscription.clone().paused_until(case.now.plus(PAUSE));
                self.put(tx, case, &after).await
            }
        }
    }

    /// Charges the period that is due.
    async fn charge(
        &self,
        tx: &TenantTx,
        case: &Case,
        (price, funding): (&Price, &Funding),
        captured: &mut Option<Captured>,
    ) -> Result<Outcome, Error> {
        let Case { subscription, mine, now, .. } = case;
        let home = BooksOf::party(tx, subscription.recipient.tenant);
        let (Mode::Subscription(money, recurs), Mode::Subscription(_, before)) =
            (price.mode(), mine.mode())
        else {
            let text = "a subscription's price is not one".to_owned();
            return Err(StoreError::Inconsistent(text).into());
        };
        let Some((rebased, period)) =
            subscription.period_due(recurs, recurs.period == before.period)
        else {
            return self.end(tx, case).await;
        };
        let charge = ChargeId(self.env.uuid());
        let end = period.end.plus(RENEWAL_SLACK);
        let pass = (Source::Paid(money, charge), period.start, Some(end));
        let Some(pass) = self.grant(tx, case, pass).await? else { return Ok(Outcome::Nothing) };
        let paid = (price.id, pass.id);
        if !subscriptions::insert_period(&home, subscription.id, period, paid, *now).await? {
            return Ok(Outcome::Nothing);
        }
        let charge = Charge {
            id: charge,
            obligation: pass.obligation,
            price: price.id,
            payer: subscription.payer,
            recipient: subscription.recipient,
            money,
            split: split(case.terms.as_ref(), price, money.minor_units())?,
            created_at: *now,
        };
        *captured = collect(self, tx, &charge, funding).await?;
        let after = rebased.paid(period, price.id);
        if !subscriptions::update(&home, subscription, &after, money.currency()).await? {
            return Ok(Outcome::Nothing);
        }
        Ok(Outcome::Renewed)
    }

    /// Ends the subscription with the period that ran.
    async fn end(&self, tx: &TenantTx, case: &Case) -> Result<Outcome, Error> {
        let after = Subscription {
            state: State::Ended(case.subscription.period_end),
            ..case.subscription.clone()
        };
        self.put(tx, case, &after).await
    }

    /// Writes down that the wallet did not cover a period at `price`: grace, a later attempt, or the
    /// end.
    async fn refuse(&self, case: &Case, price: &Price) -> Result<Outcome, Error> {
        let (Mode::Subscription(money, recurs), now) = (price.mode(), case.now) else {
            return Ok(Outcome::Nothing);
        };
        let after = case.subscription.clone().refused(recurs.grace, now);
        let payer = case.subscription.payer.tenant;
        let tx = self.db.tenant(TenantClaim::of_peer(payer)).begin().await?;
        let outcome = self.refuse_in(&tx, case, (&after, money.currency())).await;
        match outcome {
            Ok(Outcome::Nothing) | Err(_) => tx.rollback().await?,
            Ok(Outcome::Renewed | Outcome::Moved) => tx.commit().await?,
        }
        outcome
    }

    async fn refuse_in(
        &self,
        tx: &TenantTx,
        case: &Case,
        (after, currency): (&Subscription, Currency),
    ) -> Result<Outcome, Error> {
        let before = &case.subscription;
        let is_new = !matches!(before.state, State::PastDue { .. });
        if let (State::PastDue { grace_end, .. }, true) = (after.state, is_new) {
            let pass = (Source::Grace, before.period_end, Some(grace_end));
            if self.grant(tx, case, pass).await?.is_none() {
                return Ok(Outcome::Nothing);
            }
        }
        // By the currency of what is owed, so that a credit in it is heard of.
        let home = BooksOf::party(tx, before.recipient.tenant);
        if !subscriptions::update(&home, before, after, currency).await? {
            return Ok(Outcome::Nothing);
        }
        Ok(Outcome::Moved)
    }

    /// Grants a pass for the subscription, and tells caches of it; `None` where others took its
    /// number too often.
    async fn grant(
        &self,
        tx: &TenantTx,
        case: &Case,
        (source, start, expire): (Source, Timestamp, Option<Timestamp>),
    ) -> Result<Option<Pass>, Error> {
        let subscription = &case.subscription;
        for _ in 0..ATTEMPTS {
            let latest = passes::latest(tx, subscription.chat).await?;
            let pass = Pass {
                id: PassId(self.env.uuid()),
                obligation: Obligation::after(subscription.chat, latest.as_ref()),
                payer: subscription.payer,
                recipient: subscription.recipient,
                source,
                subscription: Some(subscription.id),
                bundle: None,
                start,
                expire,
            };
            if passes::insert(tx, &pass, case.now).await? {
                changes::record(tx, &self.env, Change::Chat(subscription.chat)).await?;
                return Ok(Some(pass));
            }
        }
        Ok(None)
    }

    async fn put(
        &self,
        tx: &TenantTx,
        case: &Case,
        after: &Subscription,
    ) -> Result<Outcome, Error> {
        let home = BooksOf::party(tx, case.subscription.recipient.tenant);
        let Some(money) = case.mine.mode().money() else { return Ok(Outcome::Nothing) };
        if !subscriptions::update(&home, &case.subscription, after, money.currency()).await? {
            return Ok(Outcome::Nothing);
        }
        Ok(Outcome::Moved)
    }
}

/// The version that a subscription renews at.
pub(crate) async fn price_of(
    home: &impl plasma_kit::db::Scope,
    subscription: &Subscription,
) -> Result<Price, StoreError> {
    prices::version(home, subscription.price).await?.ok_or_else(|| {
        StoreError::Inconsistent(format!("the price {} is gone", subscription.price))
    })
}
