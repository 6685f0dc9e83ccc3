//! The transaction of a sale.
//!
//! A debt is (chat, number of the pass). Its pass is inserted first: a parallel purchase of the
//! same chat waits at that unique key, and then finds the pass that won or takes the place of one
//! that was refused. Only then does money move, in one statement that enforces the wallet's floor.
//! Pass, charge and postings, in one platform's books or in two, are one database transaction.

use plasma_kit::changes::{self, Change};
use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::ids::{ChargeId, PassId, SubscriptionId};

use super::{Deal, Sold, collect};
use crate::Billing;
use crate::access;
use crate::domain::calendar::{Zone, period_start};
use crate::domain::charge::Charge;
use crate::domain::pass::{Obligation, Pass, Source};
use crate::domain::price::{Price, Recurrence};
use crate::domain::quote::Quote;
use crate::domain::sale::{Sale, Unsold};
use crate::domain::split::{BasisPoints, Split};
use crate::domain::subscription::{PaidPeriod, RENEWAL_SLACK, State, Subscription};
use crate::error::{Error, Refusal};
use crate::external::reserve::{Captured, Funding};
use crate::ports::Terms;
use crate::store::{BooksOf, passes, subscriptions, trials};

/// How often a purchase begins again after a parallel one whose pass has already ended.
const ATTEMPTS: u32 = 16;

/// What is sold, drawn up but not stored.
struct Contract {
    pass: Pass,
    charge: Option<Charge>,
    subscription: Option<(Subscription, Option<PaidPeriod>)>,
}

impl Billing {
    /// Sells in the transaction of the payer's tenant. What it refuses leaves nothing behind.
    pub(super) async fn sell(
        &self,
        tx: &TenantTx,
        deal: &Deal,
        funding: &Funding,
    ) -> Result<Sold, Error> {
        let home = BooksOf::party(tx, deal.recipient.tenant);
        for _ in 0..ATTEMPTS {
            let latest = passes::latest(tx, deal.chat).await?;
            let suffices = latest.filter(|pass| pass.suffices(deal.now));
            if let Some(pass) = suffices.filter(|_| !deal.extend) {
                return Ok(Sold { pass, subscription: None, new: false, captured: None });
            }
            let quote = access::quote(
                &home,
                deal.terms.as_ref(),
                (Some(deal.payer), Some(deal.recipient.user)),
                deal.now,
            )
            .await?;
            if !quote.is(&deal.accepted) {
                return Err(Refusal::PriceChanged(Box::new(quote)).into());
            }
            let sale = Sale::of(quote.terms(), deal.accepted.trial, suffices.as_ref(), deal.now)
                .map_err(Refusal::Unsold)?;
            let contract = self.draw_up(deal, &quote, &sale, latest.as_ref())?;
            if !passes::insert(tx, &contract.pass, deal.now).await? {
                continue;
            }
            let captured = match self.fulfil(tx, (deal, funding), &quote, &contract).await {
                Ok(captured) => captured,
                Err(error) => {
                    if matches!(error, Error::Refused(_)) {
                        passes::withdraw(tx, contract.pass.id).await?;
                    }
                    return Err(error);
                }
            };
            changes::record(tx, &self.env, Change::Chat(deal.chat)).await?;
            let subscription = contract.subscription;
            let subscription = subscription.map(|(begun, _)| (begun, quote.terms()));
            return Ok(Sold { pass: contract.pass, subscription, new: true, captured });
        }
        Err(StoreError::Conflict("other purchases of the chat were first".to_owned()).into())
    }

    /// Takes the trial or the money, and begins the subscription, for a pass that was inserted. What
    /// it refuses has changed nothing.
    async fn fulfil(
        &self,
        tx: &TenantTx,
        (deal, funding): (&Deal, &Funding),
        quote: &Quote,
        contract: &Contract,
    ) -> Result<Option<Captured>, Error> {
        let home = BooksOf::party(tx, deal.recipient.tenant);
        if contract.pass.source == Source::Trial
            && !trials::take(&home, deal.payer, deal.recipient.user, deal.now).await?
        {
            // A parallel purchase took it: the quote is the same without it.
            return Err(Refusal::PriceChanged(Box::new(quote.without_trial())).into());
        }
        let captured = match &contract.charge {
            Some(charge) => collect(self, tx, charge, funding).await?,
            None => None,
        };
        let Some((subscription, period)) = &contract.subscription else { return Ok(captured) };
        let Some(money) = quote.terms().mode.money() else { return Ok(captured) };
        if !subscriptions::insert(&home, subscription, money.currency()).await? {
            let text = "another subscription of the chat was first";
            return Err(StoreError::Conflict(text.to_owned()).into());
        }
        if let Some(period) = period {
            let paid = (subscription.price, contract.pass.id);
            subscriptions::insert_period(&home, subscription.id, *period, paid, deal.now).await?;
        }
        Ok(captured)
    }

    /// Draws up the pass, the charge where there is something to pay, and the subscription where
    /// one begins.
    fn draw_up(
        &self,
        deal: &Deal,
        quote: &Quote,
        sale: &Sale,
        latest: Option<&Pass>,
    ) -> Result<Contract, Error> {
        let obligation = Obligation::after(deal.chat, latest);
        let charge = match (quote, sale.pays) {
            (Quote::Priced(price), Some(money)) => Some(Charge {
                id: ChargeId(self.env.uuid()),
                obligation,
                price: price.id,
                payer: deal.payer,
                recipient: deal.recipient,
                money,
                split: split(deal.terms.as_ref(), price, money.minor_units())?,
                created_at: deal.now,
            }),
            (Quote::Priced(_) | Quote::TenantIsFree, _) => None,
        };
        let subscription = match (quote, sale.subscribes) {
            (Quote::Priced(price), Some(recurs)) => {
                Some(self.subscribe(deal, price, sale, recurs)?)
            }
            (Quote::Priced(_) | Quote::TenantIsFree, _) => None,
        };
        let period = subscription.as_ref().and_then(|(_, period)| *period);
        let source = match &charge {
            Some(charge) => Source::Paid(charge.money, charge.id),
            None if sale.trial => Source::Trial,
            None => Source::Free,
        };
        let mut expire = period.map_or(sale.expire, |period| Some(period.end));
        if subscription.is_some() {
            expire = expire.map(|expire| expire.plus(RENEWAL_SLACK));
        }
        let pass = Pass {
            id: PassId(self.env.uuid()),
            obligation,
            payer: deal.payer,
            recipient: deal.recipient,
            source,
            subscription: subscription.as_ref().map(|(subscription, _)| subscription.id),
            bundle: sale.bundle,
            start: sale.start,
            expire,
        };
        Ok(Contract { pass, charge, subscription })
    }

    /// A new subscription, and its first period where it is paid now: after a trial that converts,
    /// periods count from the trial's end.
    fn subscribe(
        &self,
        deal: &Deal,
        price: &Price,
        sale: &Sale,
        recurs: Recurrence,
    ) -> Result<(Subscription, Option<PaidPeriod>), Error> {
        let zone = deal.terms.as_ref().map_or_else(Zone::utc, |terms| terms.time_zone);
        let anchor = sale.expire.unwrap_or(sale.start);
        let end = period_start(anchor, &zone, recurs.period, 1);
        let end = end.ok_or(Refusal::Unsold(Unsold::TooFarAhead))?;
        let begun = Subscription {
            id: SubscriptionId(self.env.uuid()),
            chat: deal.chat,
            payer: deal.payer,
            recipient: deal.recipient,
            price: price.id,
            accepted: None,
            zone,
            state: State::Trialing,
            anchor,
            next_period: 0,
            period_end: anchor,
            periods_paid: 0,
            cancel_at_period_end: false,
            created_at: deal.now,
        };
        if sale.trial {
            return Ok((begun, None));
        }
        let period = PaidPeriod { number: 0, start: anchor, end };
        Ok((begun.paid(period, price.id), Some(period)))
    }
}

/// How a charge at a price is divided.
pub(crate) fn split(
    terms: Option<&Terms>,
    price: &Price,
    minor_units: i64,
) -> Result<Split, StoreError> {
    let operator = terms.map_or(0, |terms| terms.operator_share_basis_points);
    let operator = BasisPoints::new(operator).ok_or_else(|| {
        StoreError::Inconsistent(format!("the operator's share is {operator} basis points"))
    })?;
    Ok(Split::of(minor_units, operator, price.definition.recipient_share))
}
