//! Price versions as rows.

use std::time::Duration;

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use plasma_kit::db::StoreError;
use plasma_kit::env::{Timestamp, micros};
use plasma_kit::ids::{PayerGroupId, PriceId, TenantId, UserId};

use super::Listed;
use crate::domain::calendar::Period;
use crate::domain::money::Money;
use crate::domain::pass::Party;
use crate::domain::price::{
    Mode, Price, PriceDefinition, PriceTarget, PriceTerms, Recurrence, Trial,
};
use crate::domain::split::BasisPoints;
use crate::store::money;

pub(super) const TENANT_DEFAULT: i16 = 1;
pub(super) const RECIPIENT: i16 = 2;
pub(super) const PAYER_GROUP: i16 = 3;
pub(super) const PAIR: i16 = 4;

const FREE: i16 = 1;
const ONE_TIME_UNLOCK: i16 = 2;
const TIME_PASS: i16 = 3;
const SUBSCRIPTION: i16 = 4;
const MESSAGE_BUNDLE: i16 = 5;

pub(super) const COLUMNS: &str = "p.id, p.scope, p.recipient_user_id, p.payer_group_id, p.payer_tenant_id, \
                       p.payer_user_id, p.version, p.mode, p.currency, p.minor_units, \
                       p.duration_micros, p.period_months, p.period_days, p.grace_micros, \
                       p.messages, p.trial_micros, p.trial_converts, p.recipient_basis_points, \
                       p.consent_micros, p.effective_at, p.created_at";

/// The columns that name a target; nil where its scope has none.
pub(super) fn target_key(target: &PriceTarget) -> [Value; 5] {
    let nil = Uuid::nil();
    let (scope, recipient, group, tenant, payer) = match *target {
        PriceTarget::TenantDefault => (TENANT_DEFAULT, nil, nil, nil, nil),
        PriceTarget::Recipient(user) => (RECIPIENT, user.0, nil, nil, nil),
        PriceTarget::PayerGroup(group) => (PAYER_GROUP, nil, group.0, nil, nil),
        PriceTarget::Pair { payer, recipient } => {
            (PAIR, recipient.0, nil, payer.tenant.0, payer.user.0)
        }
    };
    [scope.into(), recipient.into(), group.into(), tenant.into(), payer.into()]
}

/// The columns from the mode to the trial.
pub(super) fn terms_row(terms: &PriceTerms) -> [Value; 10] {
    let (mut duration, mut months, mut days) = (None, None, None);
    let (mut grace, mut messages) = (None, None);
    let mode = match terms.mode {
        Mode::Free => FREE,
        Mode::OneTimeUnlock(_) => ONE_TIME_UNLOCK,
        Mode::TimePass(_, time) => {
            duration = Some(micros(time));
            TIME_PASS
        }
        Mode::Subscription(_, recurs) => {
            match recurs.period {
                Period::Months(number) => months = Some(i16::from(number)),
                Period::Days(number) => days = i16::try_from(number).ok(),
            }
            grace = Some(micros(recurs.grace));
            SUBSCRIPTION
        }
        Mode::MessageBundle(_, number) => {
            messages = i32::try_from(number).ok();
            MESSAGE_BUNDLE
        }
    };
    let paid = terms.mode.money();
    [
        mode.into(),
        paid.map(|money| money.currency().code().to_owned()).into(),
        paid.map(Money::minor_units).into(),
        duration.into(),
        months.into(),
        days.into(),
        grace.into(),
        messages.into(),
        terms.trial.map(|trial| micros(trial.duration)).into(),
        terms.trial.map(|trial| trial.converts).into(),
    ]
}

/// The precedence of the rule that a version belongs to.
pub(in crate::store) fn precedence(row: &QueryResult) -> Result<u8, StoreError> {
    let (user, group) = (UserId(Uuid::nil()), PayerGroupId(Uuid::nil()));
    let payer = Party { tenant: TenantId(Uuid::nil()), user };
    let target = match row.try_get::<i16>("", "scope")? {
        TENANT_DEFAULT => PriceTarget::TenantDefault,
        RECIPIENT => PriceTarget::Recipient(user),
        PAYER_GROUP => PriceTarget::PayerGroup(group),
        PAIR => PriceTarget::Pair { payer, recipient: user },
        _ => return Err(inconsistent()),
    };
    Ok(target.precedence())
}

fn inconsistent() -> StoreError {
    StoreError::Inconsistent("a stored price is not one".to_owned())
}

pub(super) fn listed(row: &QueryResult) -> Result<Listed, StoreError> {
    Ok(Listed {
        price: price(row)?,
        superseded_at: row.try_get::<Option<i64>>("", "superseded_at")?.map(Timestamp),
        withdrawn_at: row.try_get::<Option<i64>>("", "withdrawn_at")?.map(Timestamp),
    })
}

pub(super) fn price(row: &QueryResult) -> Result<Price, StoreError> {
    let trial = match row.try_get::<Option<i64>>("", "trial_micros")? {
        Some(time) => {
            let converts: Option<bool> = row.try_get("", "trial_converts")?;
            Some(Trial { duration: time_of(time)?, converts: converts.ok_or_else(inconsistent)? })
        }
        None => None,
    };
    let share = u32::try_from(row.try_get::<i32>("", "recipient_basis_points")?)
        .ok()
        .and_then(BasisPoints::new);
    let consent = row.try_get::<Option<i64>>("", "consent_micros")?;
    Ok(Price {
        id: PriceId(row.try_get("", "id")?),
        version: row.try_get("", "version")?,
        definition: PriceDefinition {
            target: target(row)?,
            terms: PriceTerms { mode: mode(row)?, trial },
            recipient_share: share.ok_or_else(inconsistent)?,
            consent: consent.map(time_of).transpose()?,
        },
        created_at: Timestamp(row.try_get("", "created_at")?),
        effective_at: Timestamp(row.try_get("", "effective_at")?),
    })
}

fn time_of(micros: i64) -> Result<Duration, StoreError> {
    u64::try_from(micros).map(Duration::from_micros).map_err(|_| inconsistent())
}

fn target(row: &QueryResult) -> Result<PriceTarget, StoreError> {
    let recipient = UserId(row.try_get("", "recipient_user_id")?);
    Ok(match row.try_get::<i16>("", "scope")? {
        TENANT_DEFAULT => PriceTarget::TenantDefault,
        RECIPIENT => PriceTarget::Recipient(recipient),
        PAYER_GROUP => PriceTarget::PayerGroup(PayerGroupId(row.try_get("", "payer_group_id")?)),
        PAIR => {
            let tenant = TenantId(row.try_get("", "payer_tenant_id")?);
            let user = UserId(row.try_get("", "payer_user_id")?);
            PriceTarget::Pair { payer: Party { tenant, user }, recipient }
        }
        _ => return Err(inconsistent()),
    })
}

fn mode(row: &QueryResult) -> Result<Mode, StoreError> {
    let charged = || {
        let code: Option<String> = row.try_get("", "currency")?;
        let minor_units: Option<i64> = row.try_get("", "minor_units")?;
        money(&code.ok_or_else(inconsistent)?, minor_units.ok_or_else(inconsistent)?)
    };
    let time = |column| {
        let time: Option<i64> = row.try_get("", column)?;
        time_of(time.ok_or_else(inconsistent)?)
    };
    Ok(match row.try_get::<i16>("", "mode")? {
        FREE => Mode::Free,
        ONE_TIME_UNLOCK => Mode::OneTimeUnlock(charged()?),
        TIME_PASS => Mode::TimePass(charged()?, time("duration_micros")?),
        SUBSCRIPTION => {
            let count = |column| -> Result<Option<u32>, StoreError> {
                let count: Option<i16> = row.try_get("", column)?;
                Ok(count.and_then(|count| u32::try_from(count).ok()))
            };
            let period = match (count("period_months")?, count("period_days")?) {
                (Some(months), None) => Period::months(months),
                (None, Some(days)) => Period::days(days),
                _ => None,
            };
            let period = period.ok_or_else(inconsistent)?;
            Mode::Subscription(charged()?, Recurrence { period, grace: time("grace_micros")? })
        }
        MESSAGE_BUNDLE => {
            let messages: Option<i32> = row.try_get("", "messages")?;
            let messages = messages.and_then(|messages| u32::try_from(messages).ok());
            Mode::MessageBundle(charged()?, messages.ok_or_else(inconsistent)?)
        }
        _ => return Err(inconsistent()),
    })
}
