//! Prices to publish, of every mode and for every target.

use std::time::Duration;

use plasma_kit::Timestamp;
use plasma_kit::ids::{TenantId, UserId};
use plasma_proto::billing::v1 as pb;

use crate::harness::{amount, fresh};

/// The tenant's default of a mode, shared 80 to 20.
fn default(mode: pb::price_terms::Mode) -> pb::PublishPriceRequest {
    let target =
        pb::PriceTarget { scope: pb::PriceScope::TenantDefault.into(), ..Default::default() };
    pb::PublishPriceRequest {
        request_id: fresh("publish"),
        definition: Some(pb::PriceDefinition {
            target: Some(target),
            terms: Some(pb::PriceTerms { mode: Some(mode), trial: None }),
            shares: Some(pb::Shares {
                recipient_basis_points: 8_000,
                platform_basis_points: 2_000,
            }),
            consent_time: None,
        }),
        effective_time: None,
    }
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

/// Nothing.
pub fn free() -> pb::PublishPriceRequest {
    default(pb::price_terms::Mode::Free(pb::FreePrice {}))
}

/// A one-time unlock.
pub fn unlock(code: &str, minor_units: i64) -> pb::PublishPriceRequest {
    let price = pb::OneTimeUnlockPrice { amount: Some(amount(code, minor_units)) };
    default(pb::price_terms::Mode::OneTimeUnlock(price))
}

/// A pass of some seconds.
pub fn time_pass(code: &str, minor_units: i64, duration: i64) -> pb::PublishPriceRequest {
    default(pb::price_terms::Mode::TimePass(pb::TimePassPrice {
        amount: Some(amount(code, minor_units)),
        duration: Some(seconds(duration)),
    }))
}

/// A subscription of some months, with the grace that is usual.
pub fn monthly(code: &str, minor_units: i64, months: i32) -> pb::PublishPriceRequest {
    let period = pb::subscription_price::Period::Calendar(pb::CalendarPeriod { months });
    subscription(code, minor_units, period)
}

/// A subscription of some days, with the grace that is usual.
pub fn every_days(code: &str, minor_units: i64, days: i32) -> pb::PublishPriceRequest {
    let period = pb::subscription_price::Period::Fixed(pb::FixedPeriod { days });
    subscription(code, minor_units, period)
}

fn subscription(
    code: &str,
    minor_units: i64,
    period: pb::subscription_price::Period,
) -> pb::PublishPriceRequest {
    default(pb::price_terms::Mode::Subscription(pb::SubscriptionPrice {
        amount: Some(amount(code, minor_units)),
        period: Some(period),
        grace: None,
    }))
}

/// A bundle of messages.
pub fn bundle(code: &str, minor_units: i64, messages: i32) -> pb::PublishPriceRequest {
    default(pb::price_terms::Mode::MessageBundle(pb::MessageBundlePrice {
        amount: Some(amount(code, minor_units)),
        messages,
    }))
}

/// The same price, its definition changed.
pub fn with(
    mut request: pb::PublishPriceRequest,
    change: impl FnOnce(&mut pb::PriceDefinition),
) -> pb::PublishPriceRequest {
    change(request.definition.as_mut().unwrap());
    request
}

fn for_target(
    request: pb::PublishPriceRequest,
    target: pb::PriceTarget,
) -> pb::PublishPriceRequest {
    with(request, |definition| definition.target = Some(target))
}

/// The same price for one recipient.
pub fn for_recipient(
    request: pb::PublishPriceRequest,
    recipient: UserId,
) -> pb::PublishPriceRequest {
    let target = pb::PriceTarget {
        scope: pb::PriceScope::Recipient.into(),
        recipient_user_id: recipient.to_string(),
        ..Default::default()
    };
    for_target(request, target)
}

/// The same price for a group of payers.
pub fn for_group(request: pb::PublishPriceRequest, group: &str) -> pb::PublishPriceRequest {
    let target = pb::PriceTarget {
        scope: pb::PriceScope::PayerGroup.into(),
        payer_group_id: group.to_owned(),
        ..Default::default()
    };
    for_target(request, target)
}

/// The same price for one payer and one recipient.
pub fn for_pair(
    request: pb::PublishPriceRequest,
    (tenant, payer): (TenantId, UserId),
    recipient: UserId,
) -> pb::PublishPriceRequest {
    let target = pb::PriceTarget {
        scope: pb::PriceScope::Pair.into(),
        recipient_user_id: recipient.to_string(),
        payer_user_id: payer.to_string(),
        payer_tenant_id: tenant.to_string(),
        ..Default::default()
    };
    for_target(request, target)
}

/// The same price with a trial of some seconds.
pub fn with_trial(
    request: pb::PublishPriceRequest,
    duration: i64,
    converts: bool,
) -> pb::PublishPriceRequest {
    with(request, |definition| {
        let trial = pb::Trial { duration: Some(seconds(duration)), converts };
        definition.terms.as_mut().unwrap().trial = Some(trial);
    })
}

/// The same subscription with another grace.
pub fn with_grace(request: pb::PublishPriceRequest, grace: Duration) -> pb::PublishPriceRequest {
    with(request, |definition| {
        if let Some(pb::price_terms::Mode::Subscription(price)) =
            &mut definition.terms.as_mut().unwrap().mode
        {
            price.grace = Some(plasma_kit::convert::duration(grace));
        }
    })
}

/// The same subscription, which its older subscribers lose unless they accept it in this time.
pub fn consent_within(request: pb::PublishPriceRequest, time: Duration) -> pb::PublishPriceRequest {
    with(request, |definition| {
        definition.consent_time = Some(plasma_kit::convert::duration(time));
    })
}

/// The same price, divided in another way.
pub fn shared(request: pb::PublishPriceRequest, recipient: u32) -> pb::PublishPriceRequest {
    let shares = pb::Shares {
        recipient_basis_points: recipient,
        platform_basis_points: 10_000_u32.saturating_sub(recipient),
    };
    with(request, |definition| definition.shares = Some(shares))
}

/// The same price, in force from a moment on.
pub fn effective(request: pb::PublishPriceRequest, from: Timestamp) -> pb::PublishPriceRequest {
    let effective_time = Some(plasma_kit::convert::timestamp(from));
    pb::PublishPriceRequest { effective_time, ..request }
}
