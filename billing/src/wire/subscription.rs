//! Subscriptions and refunds.

use plasma_kit::convert;
use plasma_proto::billing::v1 as pb;

use super::terms;
use crate::domain::price::PriceTerms;
use crate::domain::subscription::{State, Subscription};
use crate::store::refunds::Row;
use crate::subscription::PriceChange;

/// Writes a subscription with the terms that it renews at, and what its payer is asked about.
pub(crate) fn subscription(
    subscription: &Subscription,
    mine: &PriceTerms,
    change: Option<&PriceChange>,
) -> pb::Subscription {
    let (state, grace_end, end) = match subscription.state {
        State::Trialing => (pb::SubscriptionState::Trialing, None, None),
        State::Active => (pb::SubscriptionState::Active, None, None),
        State::PastDue { grace_end, .. } => (pb::SubscriptionState::PastDue, Some(grace_end), None),
        State::Lapsed(at) => (pb::SubscriptionState::Lapsed, None, Some(at)),
        State::Ended(at) => (pb::SubscriptionState::Ended, None, Some(at)),
    };
    let price = match terms(mine).mode {
        Some(pb::price_terms::Mode::Subscription(price)) => Some(price),
        _ => None,
    };
    pb::Subscription {
        subscription_id: subscription.id.to_string(),
        chat_id: subscription.chat.to_string(),
        payer_tenant_id: subscription.payer.tenant.to_string(),
        payer_user_id: subscription.payer.user.to_string(),
        recipient_tenant_id: subscription.recipient.tenant.to_string(),
        recipient_user_id: subscription.recipient.user.to_string(),
        price_id: subscription.price.to_string(),
        price,
        state: state.into(),
        time_zone: subscription.zone.name().to_owned(),
        anchor_time: Some(convert::timestamp(subscription.anchor)),
        period_end_time: Some(convert::timestamp(subscription.period_end)),
        periods_paid: subscription.periods_paid,
        grace_end_time: grace_end.map(convert::timestamp),
        cancel_at_period_end: subscription.cancel_at_period_end,
        price_change: change.map(|change| pb::PriceChange {
            price_id: change.price.id.to_string(),
            terms: Some(terms(&PriceTerms { trial: None, ..change.price.definition.terms })),
            accepted: change.accepted,
            consent_deadline: change.price.consent_deadline().map(convert::timestamp),
        }),
        create_time: Some(convert::timestamp(subscription.created_at)),
        end_time: end.map(convert::timestamp),
    }
}

/// Writes a refund.
pub(crate) fn refund(refund: &Row) -> pb::Refund {
    pb::Refund {
        refund_id: refund.id.to_string(),
        charge_id: refund.charge.to_string(),
        amount: Some(pb::Amount {
            currency_code: refund.currency.clone(),
            minor_units: refund.given.sum(),
        }),
        operator_minor_units: refund.given.operator(),
        recipient_minor_units: refund.given.recipient(),
        platform_minor_units: refund.given.platform(),
        refunded_minor_units: refund.refunded.sum(),
        ended_access: refund.ended_access,
        reference: refund.reference.clone(),
        create_time: Some(convert::timestamp(refund.created_at)),
    }
}
