//! Price versions. When one was superseded follows from the next.

use std::time::Duration;

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::{Timestamp, micros};
use plasma_kit::ids::{PriceId, UserId};
use plasma_kit::paging::Cursor;

use super::{Write, all, below, limit, money, one, write};
use crate::domain::money::Money;
use crate::domain::price::{Mode, Price, PriceScope};
use crate::domain::split::BasisPoints;

const TENANT_DEFAULT: i16 = 1;
const RECIPIENT: i16 = 2;

const FREE: i16 = 1;
const ONE_TIME_UNLOCK: i16 = 2;
const TIME_PASS: i16 = 3;

const SELECT: &str = "SELECT p.id, p.scope, p.recipient_user_id, p.version, p.mode, p.currency, \
                      p.minor_units, p.duration_micros, p.recipient_basis_points, p.created_at, \
                      n.created_at AS superseded_at \
                      FROM prices p LEFT JOIN prices n ON n.tenant_id = p.tenant_id \
                      AND n.scope = p.scope AND n.recipient_user_id = p.recipient_user_id \
                      AND n.version = p.version + 1";

/// Inserts a version. `false` where another publisher has taken its number; nothing is written then.
pub(crate) async fn insert(books: &impl Write, price: &Price) -> Result<bool, StoreError> {
    let sql = "INSERT INTO prices (tenant_id, id, scope, recipient_user_id, version, mode, \
               currency, minor_units, duration_micros, recipient_basis_points, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
    let [scope, recipient] = scope(price.scope);
    let (mode, duration) = match price.mode {
        Mode::Free => (FREE, None),
        Mode::OneTimeUnlock(_) => (ONE_TIME_UNLOCK, None),
        Mode::TimePass(_, duration) => (TIME_PASS, Some(micros(duration))),
    };
    let money = price.mode.money();
    let share = i32::try_from(price.recipient_share.get()).unwrap_or_default();
    let values = vec![
        books.tenant().0.into(),
        price.id.0.into(),
        scope,
        recipient,
        price.version.into(),
        mode.into(),
        money.map(|money| money.currency().code().to_owned()).into(),
        money.map(Money::minor_units).into(),
        duration.into(),
        share.into(),
        price.created_at.0.into(),
    ];
    Ok(write(books, sql, values).await? == 1)
}

/// The latest version of a scope: the one in force.
pub(crate) async fn latest(
    books: &impl Scope,
    of: PriceScope,
) -> Result<Option<Price>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE p.tenant_id = $1 AND p.scope = $2 AND p.recipient_user_id = $3 \
         ORDER BY p.version DESC LIMIT 1"
    );
    let [scope, recipient] = scope(of);
    let values = vec![books.tenant().0.into(), scope, recipient];
    one(books, &sql, values).await?.map(|row| price(&row)).transpose()
}

/// The price in force for a recipient, its own before the tenant's default.
pub(crate) async fn in_force(
    books: &impl Scope,
    recipient: Option<UserId>,
) -> Result<Option<Price>, StoreError> {
    let own = recipient.map_or(PriceScope::TenantDefault, PriceScope::Recipient);
    // Scopes are numbered so that the one that goes first is the greater.
    let sql = format!(
        "{SELECT} WHERE p.tenant_id = $1 AND ((p.scope = $2 AND p.recipient_user_id = $3) \
         OR (p.scope = $4 AND p.recipient_user_id = $5)) \
         ORDER BY p.scope DESC, p.version DESC LIMIT 1"
    );
    let [scope_own, recipient_own] = scope(own);
    let [scope_default, nobody] = scope(PriceScope::TenantDefault);
    let values = vec![books.tenant().0.into(), scope_own, recipient_own, scope_default, nobody];
    one(books, &sql, values).await?.map(|row| price(&row)).transpose()
}

/// One version.
pub(crate) async fn get(books: &impl Scope, id: PriceId) -> Result<Option<Price>, StoreError> {
    let sql = format!("{SELECT} WHERE p.tenant_id = $1 AND p.id = $2");
    let values = vec![books.tenant().0.into(), id.0.into()];
    one(books, &sql, values).await?.map(|row| price(&row)).transpose()
}

/// Lists the tenant's versions, newest first, one more than `size`.
pub(crate) async fn list(
    books: &impl Scope,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Price>, StoreError> {
    let sql = format!(
        "{SELECT} WHERE p.tenant_id = $1 AND (p.created_at, p.id) < ($2, $3) \
         ORDER BY p.created_at DESC, p.id DESC LIMIT $4"
    );
    let [key, id] = below(cursor);
    let values = vec![books.tenant().0.into(), key, id, limit(size)];
    all(books, &sql, values).await?.iter().map(price).collect()
}

fn scope(scope: PriceScope) -> [Value; 2] {
    match scope {
        PriceScope::TenantDefault => [TENANT_DEFAULT.into(), Uuid::nil().into()],
        PriceScope::Recipient(user) => [RECIPIENT.into(), user.0.into()],
    }
}

fn price(row: &QueryResult) -> Result<Price, StoreError> {
    let inconsistent = || StoreError::Inconsistent("a stored price is not one".to_owned());
    let charged = || {
        let code: Option<String> = row.try_get("", "currency")?;
        let minor_units: Option<i64> = row.try_get("", "minor_units")?;
        money(&code.ok_or_else(inconsistent)?, minor_units.ok_or_else(inconsistent)?)
    };
    let mode = match row.try_get::<i16>("", "mode")? {
        FREE => Mode::Free,
        ONE_TIME_UNLOCK => Mode::OneTimeUnlock(charged()?),
        TIME_PASS => {
            let duration: Option<i64> = row.try_get("", "duration_micros")?;
            let duration = u64::try_from(duration.ok_or_else(inconsistent)?);
            Mode::TimePass(charged()?, Duration::from_micros(duration.map_err(|_| inconsistent())?))
        }
        _ => return Err(inconsistent()),
    };
    let scope = match row.try_get::<i16>("", "scope")? {
        TENANT_DEFAULT => PriceScope::TenantDefault,
        RECIPIENT => PriceScope::Recipient(UserId(row.try_get("", "recipient_user_id")?)),
        _ => return Err(inconsistent()),
    };
    let share = u32::try_from(row.try_get::<i32>("", "recipient_basis_points")?)
        .ok()
        .and_then(BasisPoints::new);
    Ok(Price {
        id: PriceId(row.try_get("", "id")?),
        scope,
        version: row.try_get("", "version")?,
        mode,
        recipient_share: share.ok_or_else(inconsistent)?,
        created_at: Timestamp(row.try_get("", "created_at")?),
        superseded_at: row.try_get::<Option<i64>>("", "superseded_at")?.map(Timestamp),
    })
}
