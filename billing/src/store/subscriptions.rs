//! Subscriptions, kept by the tenant that sells them, and their paid periods.

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError, SystemDb};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChatId, PassId, PriceId, SubscriptionId, TenantId, UserId};
use plasma_kit::paging::Cursor;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{Write, all, below, limit, one, placeholders, write};
use crate::domain::calendar::Zone;
use crate::domain::money::Currency;
use crate::domain::pass::Party;
use crate::domain::subscription::{PaidPeriod, State, Subscription};

const TRIALING: i16 = 1;
const ACTIVE: i16 = 2;
const PAST_DUE: i16 = 3;
const LAPSED: i16 = 4;
const ENDED: i16 = 5;

const COLUMNS: &str = "tenant_id, id, chat_id, payer_tenant_id, payer_user_id, \
                       recipient_user_id, price_id, accepted_price_id, zone, state, anchor_at, \
                       next_period, period_end_at, periods_paid, cancel_at_period_end, \
                       grace_end_at, due_at, created_at, ended_at";

/// Inserts a subscription. `false` where the chat has one that is live; nothing is written then.
pub(crate) async fn insert(
    books: &impl Write,
    subscription: &Subscription,
    currency: Currency,
) -> Result<bool, StoreError> {
    let sql = format!(
        "INSERT INTO subscriptions (tenant_id, id, chat_id, payer_tenant_id, payer_user_id, \
         recipient_user_id, currency, leased_until, created_at, price_id, accepted_price_id, zone, \
         state, anchor_at, next_period, period_end_at, periods_paid, cancel_at_period_end, \
         grace_end_at, due_at, ended_at) VALUES {} ON CONFLICT DO NOTHING",
        placeholders(1, 21)
    );
    let mut values: Vec<Value> = vec![
        books.tenant().0.into(),
        subscription.id.0.into(),
        subscription.chat.0.into(),
        subscription.payer.tenant.0.into(),
        subscription.payer.user.0.into(),
        subscription.recipient.user.0.into(),
        currency.code().into(),
        0_i64.into(),
        subscription.created_at.0.into(),
    ];
    values.extend(standing(subscription));
    Ok(write(books, &sql, values).await? == 1)
}

/// Writes where a subscription stands, and puts it out of hand. `before` is what the caller decided
/// on: `false`, and nothing written, where it has changed since, be it by what its payer decided.
pub(crate) async fn update(
    books: &impl Write,
    before: &Subscription,
    after: &Subscription,
    currency: Currency,
) -> Result<bool, StoreError> {
    let sql = "UPDATE subscriptions SET price_id = $3, accepted_price_id = $4, zone = $5, \
               state = $6, anchor_at = $7, next_period = $8, period_end_at = $9, \
               periods_paid = $10, cancel_at_period_end = $11, grace_end_at = $12, due_at = $13, \
               ended_at = $14, currency = $15, leased_until = 0 \
               WHERE tenant_id = $1 AND id = $2 AND state = $16 AND periods_paid = $17 \
               AND period_end_at = $18 AND cancel_at_period_end = $19 \
               AND accepted_price_id IS NOT DISTINCT FROM $20";
    let mut values: Vec<Value> = vec![books.tenant().0.into(), after.id.0.into()];
    values.extend(standing(after));
    let (state, ..) = state_row(before.state);
    values.extend([
        currency.code().into(),
        state.into(),
        before.periods_paid.into(),
        before.period_end.0.into(),
        before.cancel_at_period_end.into(),
        before.accepted.map(|accepted| accepted.0).into(),
    ]);
    Ok(write(books, sql, values).await? == 1)
}

/// The columns from the price to the end.
fn standing(subscription: &Subscription) -> [Value; 12] {
    let (state, grace_end, ended_at) = state_row(subscription.state);
    [
        subscription.price.0.into(),
        subscription.accepted.map(|accepted| accepted.0).into(),
        subscription.zone.name().to_owned().into(),
        state.into(),
        subscription.anchor.0.into(),
        i32::try_from(subscription.next_period).unwrap_or(i32::MAX).into(),
        subscription.period_end.0.into(),
        subscription.periods_paid.into(),
        subscription.cancel_at_period_end.into(),
        grace_end.into(),
        subscription.due_at().map(|due| due.0).into(),
        ended_at.into(),
    ]
}

fn state_row(state: State) -> (i16, Option<i64>, Option<i64>) {
    match state {
        State::Trialing => (TRIALING, None, None),
        State::Active => (ACTIVE, None, None),
        State::PastDue { grace_end, .. } => (PAST_DUE, Some(grace_end.0), None),
        State::Lapsed(at) => (LAPSED, None, Some(at.0)),
        State::Ended(at) => (ENDED, None, Some(at.0)),
    }
}

/// Records that a period is paid. `false` where it was paid before; nothing is written then. Waits
/// for a parallel transaction that is about to pay it.
pub(crate) async fn insert_period(
    books: &impl Write,
    subscription: SubscriptionId,
    period: PaidPeriod,
    (price, pass): (PriceId, PassId),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO subscription_periods (tenant_id, subscription_id, start_at, end_at, \
               price_id, pass_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
               ON CONFLICT DO NOTHING";
    let values = vec![
        books.tenant().0.into(),
        subscription.0.into(),
        period.start.0.into(),
        period.end.0.into(),
        price.0.into(),
        pass.0.into(),
        now.0.into(),
    ];
    Ok(write(books, sql, values).await? == 1)
}

/// One subscription of the tenant.
pub(crate) async fn get(
    books: &impl Scope,
    id: SubscriptionId,
) -> Result<Option<Subscription>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM subscriptions WHERE tenant_id = $1 AND id = $2");
    let values = vec![books.tenant().0.into(), id.0.into()];
    one(books, &sql, values).await?.map(|row| subscription(&row)).transpose()
}

/// The subscription of a chat that is live, whichever tenant sells it. The caller has shown that the
/// chat is its own to ask about.
pub(crate) async fn live(
    scope: &impl Scope,
    chat: ChatId,
) -> Result<Option<Subscription>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM subscriptions WHERE chat_id = $1 AND due_at IS NOT NULL");
    one(scope, &sql, vec![chat.0.into()]).await?.map(|row| subscription(&row)).transpose()
}

/// One subscription that a payer has, whichever tenant sells it.
pub(crate) async fn of_payer(
    scope: &impl Scope,
    payer: Party,
    id: SubscriptionId,
) -> Result<Option<Subscription>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM subscriptions WHERE payer_tenant_id = $1 AND payer_user_id = $2 AND id = $3"
    );
    let values = vec![payer.tenant.0.into(), payer.user.0.into(), id.0.into()];
    one(scope, &sql, values).await?.map(|row| subscription(&row)).transpose()
}

/// Whose subscriptions are listed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of {
    /// Those that a user pays for.
    Payer(Party),
    /// Those that a tenant sells.
    Seller(TenantId),
}

/// Lists subscriptions, newest first, one more than `size`; those in one state where `state` is
/// above 0.
pub(crate) async fn list(
    scope: &impl Scope,
    of: Of,
    state: i32,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Subscription>, StoreError> {
    let (whose, ids) = match of {
        Of::Payer(payer) => {
            ("payer_tenant_id = $1 AND payer_user_id = $2", [payer.tenant.0, payer.user.0])
        }
        Of::Seller(tenant) => ("tenant_id = $1 AND $2 = $2", [tenant.0, tenant.0]),
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM subscriptions WHERE {whose} AND (created_at, id) < ($3, $4) AND ($5 = 0 OR state = $5) \
         ORDER BY created_at DESC, id DESC LIMIT $6"
    );
    let [key, id] = below(cursor);
    let state = i16::try_from(state).unwrap_or(i16::MAX);
    let values = vec![ids[0].into(), ids[1].into(), key, id, state.into(), limit(size)];
    all(scope, &sql, values).await?.iter().map(subscription).collect()
}

/// Has what is past due for a payer and currency tried at once, whoever sells it.
pub(crate) async fn retry_now(
    books: &impl Write,
    payer: UserId,
    currency: Currency,
) -> Result<u64, StoreError> {
    let sql = "UPDATE subscriptions SET due_at = period_end_at, leased_until = 0 \
               WHERE payer_tenant_id = $1 AND payer_user_id = $2 AND currency = $3 \
               AND state = $4";
    let values =
        vec![books.tenant().0.into(), payer.0.into(), currency.code().into(), PAST_DUE.into()];
    write(books, sql, values).await
}

/// A subscription that something is due for, in hand of one node until its lease ends.
#[derive(Debug)]
pub(crate) struct Due {
    /// The seller.
    pub(crate) tenant: TenantId,
    /// Its id.
    pub(crate) id: SubscriptionId,
    /// How it stood when it was taken in hand. One that cannot be read keeps no other from it.
    pub(crate) subscription: Result<Subscription, StoreError>,
}

/// Which subscriptions are looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DueBy {
    /// What is due at this moment, or before.
    pub(crate) moment: Timestamp,
    /// Of this tenant alone.
    pub(crate) tenant: Option<TenantId>,
}

/// Takes up to `size` subscriptions in hand that are due and that no other node has, until
/// `lease_end`; the longest due first.
pub(crate) async fn lease(
    db: &SystemDb,
    due: DueBy,
    (now, lease_end): (Timestamp, Timestamp),
    size: u64,
) -> Result<Vec<Due>, StoreError> {
    // Nodes pass over each other's rows instead of waiting; SQLite has one writer.
    let skip = match db.backend() {
        DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
        _ => "",
    };
    let (whose, tenant) = match due.tenant {
        Some(tenant) => ("tenant_id = $5", tenant.0),
        None => ("$5 = $5", Uuid::nil()),
    };
    let sql = format!(
        "UPDATE subscriptions SET leased_until = $3 WHERE (tenant_id, id) IN \
         (SELECT tenant_id, id FROM subscriptions WHERE due_at <= $1 AND leased_until < $2 \
         AND {whose} ORDER BY due_at LIMIT $4 {skip}) RETURNING {COLUMNS}"
    );
    let values: [Value; 5] = [
        due.moment.0.into(),
        now.0.into(),
        lease_end.0.into(),
        i64::try_from(size).unwrap_or(i64::MAX).into(),
        tenant.into(),
    ];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let rows = db.conn().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            Ok(Due {
                tenant: TenantId(row.try_get("", "tenant_id")?),
                id: SubscriptionId(row.try_get("", "id")?),
                subscription: subscription(row),
            })
        })
        .collect()
}

/// The earliest moment later than `after` and not later than `until` at which a subscription of a
/// tenant is due; `None` where none is.
pub(crate) async fn next_due(
    db: &SystemDb,
    tenant: TenantId,
    (after, until): (Timestamp, Timestamp),
) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT MIN(due_at) AS due_at FROM subscriptions \
               WHERE tenant_id = $1 AND due_at > $2 AND due_at <= $3";
    let values = [tenant.0.into(), after.0.into(), until.0.into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let row = db.conn().query_one_raw(statement).await?;
    let due = row.map(|row| row.try_get::<Option<i64>>("", "due_at")).transpose()?;
    Ok(due.flatten().map(Timestamp))
}

/// Some of the sandboxes whose clocks run ahead of the real time, and that have by them something
/// due that no node has in hand.
pub(crate) async fn due_ahead(
    db: &SystemDb,
    now: Timestamp,
    size: u64,
) -> Result<Vec<TenantId>, StoreError> {
    let sql = "SELECT DISTINCT c.tenant_id FROM test_clocks c \
               JOIN subscriptions s ON s.tenant_id = c.tenant_id \
               WHERE c.target_at IS NULL AND c.offset_micros > 0 \
               AND s.due_at <= $1 + c.offset_micros AND s.leased_until < $1 LIMIT $2";
    let values = [now.0.into(), i64::try_from(size).unwrap_or(i64::MAX).into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let rows = db.conn().query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(TenantId(row.try_get("", "tenant_id")?))).collect()
}

fn subscription(row: &QueryResult) -> Result<Subscription, StoreError> {
    let inconsistent = || StoreError::Inconsistent("a stored subscription is not one".to_owned());
    let moment = |column| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.try_get::<Option<i64>>("", column)?.map(Timestamp))
    };
    let tenant = TenantId(row.try_get("", "tenant_id")?);
    let (grace_end, due, ended) = (moment("grace_end_at")?, moment("due_at")?, moment("ended_at")?);
    let state = match (row.try_get::<i16>("", "state")?, grace_end, due, ended) {
        (TRIALING, _, Some(_), _) => State::Trialing,
        (ACTIVE, _, Some(_), _) => State::Active,
        (PAST_DUE, Some(grace_end), Some(retry_at), _) => State::PastDue { grace_end, retry_at },
        (LAPSED, _, None, Some(at)) => State::Lapsed(at),
        (ENDED, _, None, Some(at)) => State::Ended(at),
        _ => return Err(inconsistent()),
    };
    let zone: String = row.try_get("", "zone")?;
    let next_period = u32::try_from(row.try_get::<i32>("", "next_period")?);
    Ok(Subscription {
        id: SubscriptionId(row.try_get("", "id")?),
        chat: ChatId(row.try_get("", "chat_id")?),
        payer: Party {
            tenant: TenantId(row.try_get("", "payer_tenant_id")?),
            user: UserId(row.try_get("", "payer_user_id")?),
        },
        recipient: Party { tenant, user: UserId(row.try_get("", "recipient_user_id")?) },
        price: PriceId(row.try_get("", "price_id")?),
        accepted: row.try_get::<Option<Uuid>>("", "accepted_price_id")?.map(PriceId),
        zone: Zone::parse(&zone).ok_or_else(inconsistent)?,
        state,
        anchor: Timestamp(row.try_get("", "anchor_at")?),
        next_period: next_period.map_err(|_| inconsistent())?,
        period_end: Timestamp(row.try_get("", "period_end_at")?),
        periods_paid: row.try_get("", "periods_paid")?,
        cancel_at_period_end: row.try_get("", "cancel_at_period_end")?,
        created_at: Timestamp(row.try_get("", "created_at")?),
    })
}
