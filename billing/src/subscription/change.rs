//! What a payer decides about a subscription, and what there is to decide about.

use plasma_kit::Timestamp;
use plasma_kit::db::{Scope, StoreError};
use plasma_kit::ids::SubscriptionId;

use super::renew::price_of;
use crate::domain::price::Price;
use crate::domain::quote::{Accepted, Quote};
use crate::domain::subscription::Subscription;
use crate::error::{Error, Object, Refusal};
use crate::ports::Terms;
use crate::store::{BooksOf, prices, subscriptions};

/// How often a decision is taken again after the subscription has changed beside it.
const ATTEMPTS: u32 = 16;

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It ends with the period that runs, or at once where that is not paid.
    Cancel,
    /// It goes on after all.
    UndoCancellation,
    /// The price that replaced the payer's is accepted.
    Accept(Accepted),
}

/// Another price that a subscriber may accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PriceChange {
    /// The version in force for new payers.
    pub(crate) price: Price,
    /// Whether the payer has accepted it.
    pub(crate) accepted: bool,
}

/// The price that the payer of a subscription is asked about at `now`; `None` where there is none.
pub(crate) async fn price_change(
    home: &impl Scope,
    subscription: &Subscription,
    terms: Option<&Terms>,
    now: Timestamp,
) -> Result<Option<PriceChange>, StoreError> {
    if !subscription.state.is_live() || terms.is_none_or(|terms| terms.free) {
        return Ok(None);
    }
    let (payer, recipient) = (subscription.payer, subscription.recipient.user);
    let Some(price) = prices::in_force(home, Some(payer), Some(recipient), now).await? else {
        return Ok(None);
    };
    if price.id == subscription.price {
        return Ok(None);
    }
    let mine = price_of(home, subscription).await?;
    let accepted = subscription.accepted == Some(price.id);
    Ok(Subscription::asks_about(&mine, &price).then_some(PriceChange { price, accepted }))
}

/// Takes a decision about a subscription, and says how it stands after it.
pub(crate) async fn decide(
    home: &BooksOf<'_>,
    id: SubscriptionId,
    decision: Decision,
    (terms, now): (Option<&Terms>, Timestamp),
) -> Result<Subscription, Error> {
    for _ in 0..ATTEMPTS {
        let subscription = subscriptions::get(home, id).await?;
        let subscription = subscription.ok_or(Refusal::NotFound(Object::Subscription))?;
        if !subscription.state.is_live() {
            return Err(Refusal::SubscriptionEnded.into());
        }
        let mine = price_of(home, &subscription).await?;
        let after = match decision {
            Decision::Cancel => subscription.clone().cancelled(now),
            Decision::UndoCancellation => {
                Subscription { cancel_at_period_end: false, ..subscription.clone() }
            }
            Decision::Accept(accepted) => {
                let change = price_change(home, &subscription, terms, now).await?;
                let asked = change.map_or(mine, |change| change.price);
                let quote = Quote::Priced(asked).without_trial();
                if change.is_none() || !quote.is(&accepted) {
                    return Err(Refusal::PriceChanged(Box::new(quote)).into());
                }
                Subscription { accepted: Some(asked.id), ..subscription.clone() }
            }
        };
        if after == subscription {
            return Ok(after);
        }
        let Some(money) = mine.mode().money() else {
            let text = "a subscription's price is free".to_owned();
            return Err(StoreError::Inconsistent(text).into());
        };
        if subscriptions::update(home, &subscription, &after, money.currency()).await? {
            return Ok(after);
        }
    }
    Err(StoreError::Conflict("the subscription changes too often".to_owned()).into())
}
