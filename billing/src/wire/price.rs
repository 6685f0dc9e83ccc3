//! Prices: what they say and whom they are for.

use plasma_kit::convert;
use plasma_kit::ids::{PayerGroupId, TenantId, UserId};
use plasma_proto::billing::v1 as pb;

use super::{AmountField, money, read_money};
use crate::domain::calendar::Period;
use crate::domain::money::Money;
use crate::domain::pass::Party;
use crate::domain::price::{Mode, PriceDefinition, PriceTarget, PriceTerms, Recurrence, Trial};
use crate::domain::split::BasisPoints;
use crate::error::Refusal;
use crate::store::prices::Listed;

/// The grace of a subscription's price that names none.
const GRACE_DAYS: u64 = 3;

/// Writes a price version.
pub(crate) fn price(listed: &Listed) -> pb::Price {
    let price = &listed.price;
    pb::Price {
        price_id: price.id.to_string(),
        definition: Some(definition(&price.definition)),
        version: price.version,
        create_time: Some(convert::timestamp(price.created_at)),
        effective_time: Some(convert::timestamp(price.effective_at)),
        supersede_time: listed.superseded_at.map(convert::timestamp),
        withdraw_time: listed.withdrawn_at.map(convert::timestamp),
    }
}

/// Writes all that a price says.
pub(crate) fn definition(definition: &PriceDefinition) -> pb::PriceDefinition {
    pb::PriceDefinition {
        target: Some(target(&definition.target)),
        terms: Some(terms(&definition.terms)),
        shares: Some(pb::Shares {
            recipient_basis_points: definition.recipient_share.get(),
            platform_basis_points: definition.recipient_share.rest().get(),
        }),
        consent_time: definition.consent.map(convert::duration),
    }
}

fn target(target: &PriceTarget) -> pb::PriceTarget {
    let none = pb::PriceTarget::default();
    match target {
        PriceTarget::TenantDefault => {
            pb::PriceTarget { scope: pb::PriceScope::TenantDefault.into(), ..none }
        }
        PriceTarget::Recipient(user) => pb::PriceTarget {
            scope: pb::PriceScope::Recipient.into(),
            recipient_user_id: user.to_string(),
            ..none
        },
        PriceTarget::PayerGroup(group) => pb::PriceTarget {
            scope: pb::PriceScope::PayerGroup.into(),
            payer_group_id: group.to_string(),
            ..none
        },
        PriceTarget::Pair { payer, recipient } => pb::PriceTarget {
            scope: pb::PriceScope::Pair.into(),
            recipient_user_id: recipient.to_string(),
            payer_user_id: payer.user.to_string(),
            payer_tenant_id: payer.tenant.to_string(),
            ..none
        },
    }
}

/// Writes what access costs.
pub(crate) fn terms(terms: &PriceTerms) -> pb::PriceTerms {
    use pb::price_terms::Mode as Written;
    let mode = match terms.mode {
        Mode::Free => Written::Free(pb::FreePrice {}),
        Mode::OneTimeUnlock(price) => {
            Written::OneTimeUnlock(pb::OneTimeUnlockPrice { amount: Some(money(price)) })
        }
        Mode::TimePass(price, duration) => Written::TimePass(pb::TimePassPrice {
            amount: Some(money(price)),
            duration: Some(convert::duration(duration)),
        }),
        Mode::Subscription(price, recurs) => Written::Subscription(recurring(price, recurs)),
        Mode::MessageBundle(price, messages) => Written::MessageBundle(pb::MessageBundlePrice {
            amount: Some(money(price)),
            messages: i32::try_from(messages).unwrap_or(i32::MAX),
        }),
    };
    let trial = terms.trial.map(|trial| pb::Trial {
        duration: Some(convert::duration(trial.duration)),
        converts: trial.converts,
    });
    pb::PriceTerms { mode: Some(mode), trial }
}

fn recurring(price: Money, recurs: Recurrence) -> pb::SubscriptionPrice {
    use pb::subscription_price::Period as Written;
    let period = match recurs.period {
        Period::Months(months) => Written::Calendar(pb::CalendarPeriod { months: months.into() }),
        Period::Days(days) => Written::Fixed(pb::FixedPeriod { days: days.into() }),
    };
    pb::SubscriptionPrice {
        amount: Some(money(price)),
        period: Some(period),
        grace: Some(convert::duration(recurs.grace)),
    }
}

/// Reads all that a price is to say, in the field `definition` of a request of the tenant.
pub(crate) fn read_definition(
    asked: Option<&pb::PriceDefinition>,
    own: TenantId,
) -> Result<PriceDefinition, Refusal> {
    let asked = asked.ok_or(invalid("definition", "must be set"))?;
    let target = asked.target.as_ref().ok_or(invalid("definition.target", "must be set"))?;
    let terms = asked.terms.as_ref().ok_or(invalid("definition.terms", "must be set"))?;
    let terms = read_terms(terms)?;
    let shares = asked.shares.unwrap_or_default();
    let recipient_share = BasisPoints::new(shares.recipient_basis_points)
        .filter(|share| share.rest().get() == shares.platform_basis_points)
        .ok_or(invalid("definition.shares", "the two shares must add up to 10000"))?;
    let consent = asked.consent_time.as_ref().map(convert::span);
    if consent.is_some() && !matches!(terms.mode, Mode::Subscription(..)) {
        return Err(invalid("definition.consent_time", "must be unset without a subscription"));
    }
    Ok(PriceDefinition { target: read_target(target, own)?, terms, recipient_share, consent })
}

fn invalid(field: &'static str, rule: &'static str) -> Refusal {
    Refusal::Invalid { field, rule }
}

fn read_target(target: &pb::PriceTarget, own: TenantId) -> Result<PriceTarget, Refusal> {
    let named = [
        ("definition.target.recipient_user_id", &target.recipient_user_id),
        ("definition.target.payer_group_id", &target.payer_group_id),
        ("definition.target.payer_user_id", &target.payer_user_id),
        ("definition.target.payer_tenant_id", &target.payer_tenant_id),
    ];
    // Which of them the scope must have, and which it may have.
    let [recipient, group, payer, payer_tenant] = match target.scope() {
        pb::PriceScope::Unspecified => {
            return Err(invalid("definition.target.scope", "must be set"));
        }
        pb::PriceScope::TenantDefault => [false; 4],
        pb::PriceScope::Recipient => [true, false, false, false],
        pb::PriceScope::PayerGroup => [false, true, false, false],
        pb::PriceScope::Pair => [true, false, true, true],
    };
    let is_optional = |field| field == "definition.target.payer_tenant_id";
    for ((field, value), wanted) in named.into_iter().zip([recipient, group, payer, payer_tenant]) {
        if wanted && value.is_empty() && !is_optional(field) {
            return Err(invalid(field, "must be set with this scope"));
        }
        if !wanted && !value.is_empty() {
            return Err(invalid(field, "must be empty with this scope"));
        }
    }
    Ok(if group {
        PriceTarget::PayerGroup(PayerGroupId::checked(&target.payer_group_id))
    } else if payer {
        let tenant = TenantId::checked_optional(&target.payer_tenant_id).unwrap_or(own);
        let user = UserId::checked(&target.payer_user_id);
        let recipient = UserId::checked(&target.recipient_user_id);
        PriceTarget::Pair { payer: Party { tenant, user }, recipient }
    } else if recipient {
        PriceTarget::Recipient(UserId::checked(&target.recipient_user_id))
    } else {
        PriceTarget::TenantDefault
    })
}

/// The paths of an amount in the terms of a definition.
macro_rules! amount_of {
    ($mode:literal) => {
        AmountField {
            itself: concat!("definition.terms.", $mode, ".amount"),
            currency: concat!("definition.terms.", $mode, ".amount.currency_code"),
            number: concat!("definition.terms.", $mode, ".amount.minor_units"),
        }
    };
}

fn read_terms(terms: &pb::PriceTerms) -> Result<PriceTerms, Refusal> {
    use pb::price_terms::Mode as Asked;
    let mode = match &terms.mode {
        None => return Err(invalid("definition.terms.mode", "must have one of its members set")),
        Some(Asked::Free(pb::FreePrice {})) => Mode::Free,
        Some(Asked::OneTimeUnlock(price)) => {
            Mode::OneTimeUnlock(read_money(amount_of!("one_time_unlock"), price.amount.as_ref())?)
        }
        Some(Asked::TimePass(price)) => {
            let money = read_money(amount_of!("time_pass"), price.amount.as_ref())?;
            Mode::TimePass(money, convert::span(&price.duration.unwrap_or_default()))
        }
        Some(Asked::Subscription(price)) => {
            let money = read_money(amount_of!("subscription"), price.amount.as_ref())?;
            Mode::Subscription(money, read_recurrence(price)?)
        }
        Some(Asked::MessageBundle(price)) => {
            let money = read_money(amount_of!("message_bundle"), price.amount.as_ref())?;
            let messages = u32::try_from(price.messages).unwrap_or_default();
            Mode::MessageBundle(money, messages)
        }
    };
    let trial = terms.trial.as_ref().map(|trial| Trial {
        duration: convert::span(&trial.duration.unwrap_or_default()),
        converts: trial.converts,
    });
    if trial.is_some() && mode == Mode::Free {
        return Err(invalid("definition.terms.trial", "must be unset with a free price"));
    }
    if trial.is_some_and(|trial| trial.converts) && !matches!(mode, Mode::Subscription(..)) {
        let rule = "must be false without a subscription";
        return Err(invalid("definition.terms.trial.converts", rule));
    }
    Ok(PriceTerms { mode, trial })
}

fn read_recurrence(price: &pb::SubscriptionPrice) -> Result<Recurrence, Refusal> {
    use pb::subscription_price::Period as Asked;
    let period = match &price.period {
        None => None,
        Some(Asked::Calendar(period)) => u32::try_from(period.months).ok().and_then(Period::months),
        Some(Asked::Fixed(period)) => u32::try_from(period.days).ok().and_then(Period::days),
    };
    let rule = "must be 1 to 12 months or 1 to 366 days";
    let period = period.ok_or(invalid("definition.terms.subscription.period", rule))?;
    let default = std::time::Duration::from_hours(GRACE_DAYS * 24);
    let grace = price.grace.as_ref().map_or(default, convert::span);
    Ok(Recurrence { period, grace })
}
