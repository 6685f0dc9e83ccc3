//! Prices in words.

use plasma_proto::billing::v1::price_terms::Mode;
use plasma_proto::billing::v1::subscription_price::Period;
use plasma_proto::billing::v1::{PriceDefinition, PriceRule, PriceScope, PriceTarget, PriceTerms};
use prost_types::{Duration, Timestamp};

use crate::admin::money::show;

/// What access costs.
pub(super) fn cost(terms: &PriceTerms) -> String {
    let paid = show(terms.amount().cloned());
    let cost = match &terms.mode {
        None | Some(Mode::Free(_)) => "free".to_owned(),
        Some(Mode::OneTimeUnlock(_)) => format!("{paid} once"),
        Some(Mode::TimePass(price)) => format!("{paid} for {}", span(price.duration.as_ref())),
        Some(Mode::Subscription(price)) => match &price.period {
            Some(Period::Calendar(period)) => format!("{paid} each {} months", period.months),
            Some(Period::Fixed(period)) => format!("{paid} each {} days", period.days),
            None => paid,
        },
        Some(Mode::MessageBundle(price)) => format!("{paid} for {} messages", price.messages),
    };
    match &terms.trial {
        None => cost,
        Some(trial) => {
            let then = if trial.converts { ", and then by itself" } else { "" };
            format!("{cost}, after {} free{then}", span(trial.duration.as_ref()))
        }
    }
}

/// Whom a price is for.
pub(super) fn target(target: &PriceTarget) -> String {
    match target.scope() {
        PriceScope::Unspecified => "nobody".to_owned(),
        PriceScope::TenantDefault => "everybody".to_owned(),
        PriceScope::Recipient => format!("chats with {}", target.recipient_user_id),
        PriceScope::PayerGroup => format!("payers of {}", target.payer_group_id),
        PriceScope::Pair => format!(
            "{} of {} with {}",
            target.payer_user_id, target.payer_tenant_id, target.recipient_user_id
        ),
    }
}

/// Whom a price is for, and what access costs.
pub(super) fn definition(definition: Option<&PriceDefinition>) -> [String; 2] {
    let definition = definition.cloned().unwrap_or_default();
    [target(&definition.target.unwrap_or_default()), cost(&definition.terms.unwrap_or_default())]
}

/// Why a price is what it is.
pub(super) fn rule(rule: PriceRule) -> &'static str {
    match rule {
        PriceRule::Unspecified => "unknown",
        PriceRule::TenantIsFree => "the tenant's policy is free",
        PriceRule::Recipient => "the recipient's own price",
        PriceRule::TenantDefault => "the tenant's default price",
        PriceRule::PayerGroup => "the price of the payer's group",
        PriceRule::Pair => "the price between the two",
    }
}

/// A moment, in UTC; nothing where there is none.
pub(super) fn moment(time: Option<&Timestamp>) -> String {
    time.map(ToString::to_string).unwrap_or_default()
}

fn span(time: Option<&Duration>) -> String {
    format!("{} s", time.map(|time| time.seconds).unwrap_or_default())
}
