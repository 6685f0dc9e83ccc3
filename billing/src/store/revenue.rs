//! Revenue: charges added up by groups, and what refunds took back of them.

use std::collections::HashMap;

use sea_orm::QueryResult;
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChargeId, UserId};

use super::all;
use crate::domain::money::Currency;
use crate::domain::revenue::{Grouping, Parts, Sums};
use crate::time::Span;

const SUMS: &str = "COUNT(*) AS charges, \
                    CAST(SUM(c.operator_minor_units) AS BIGINT) AS operator, \
                    CAST(SUM(c.recipient_minor_units) AS BIGINT) AS recipient, \
                    CAST(SUM(c.platform_minor_units) AS BIGINT) AS platform";

fn read(row: &QueryResult) -> Result<Sums, StoreError> {
    let charged = Parts {
        operator: row.try_get("", "operator")?,
        recipient: row.try_get("", "recipient")?,
        platform: row.try_get("", "platform")?,
    };
    Ok(Sums { charges: row.try_get("", "charges")?, charged, refunded: Parts::default() })
}

/// Adds up the charges of each day that something was charged on. `starts` are the first moments of
/// the days and, last, the moment after them; a day's key is its place among them.
pub(crate) async fn by_day(
    books: &impl Scope,
    currency: Currency,
    starts: &[Timestamp],
) -> Result<Vec<(Uuid, Sums)>, StoreError> {
    let days: Vec<String> = starts
        .windows(2)
        .enumerate()
        .map(|(day, ends)| {
            let (start, end) = (ends[0].0, ends[1].0);
            format!("SELECT {day} AS day, CAST({start} AS BIGINT) AS s, CAST({end} AS BIGINT) AS e")
        })
        .collect();
    if days.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT CAST(d.day AS BIGINT) AS day, {SUMS} FROM ({}) AS d JOIN charges c \
         ON c.tenant_id = $1 AND c.created_at >= d.s AND c.created_at < d.e AND c.currency = $2 \
         GROUP BY d.day ORDER BY d.day",
        days.join(" UNION ALL ")
    );
    let rows = all(books, &sql, vec![books.tenant().0.into(), currency.code().into()]).await?;
    let group = |row: &QueryResult| {
        let day: i64 = row.try_get("", "day")?;
        Ok((Uuid::from_u128(u128::from(day.unsigned_abs())), read(row)?))
    };
    rows.iter().map(group).collect()
}

/// Adds up the charges of a time by recipient or by price, those after a key, `size` at most.
pub(crate) async fn by_owner(
    books: &impl Scope,
    currency: Currency,
    span: Span,
    by: Grouping,
    after: Uuid,
    size: u64,
) -> Result<Vec<(Uuid, Sums)>, StoreError> {
    let column = match by {
        Grouping::Price => "c.price_id",
        Grouping::Recipient | Grouping::Day | Grouping::Product => "c.recipient_user_id",
    };
    let sql = format!(
        "SELECT {column} AS owner, {SUMS} FROM charges c \
         WHERE c.tenant_id = $1 AND c.currency = $2 AND c.created_at >= $3 AND c.created_at < $4 \
         AND {column} > $5 GROUP BY {column} ORDER BY {column} LIMIT $6"
    );
    let values = vec![
        books.tenant().0.into(),
        currency.code().into(),
        span.start.0.into(),
        span.end.0.into(),
        after.into(),
        i64::try_from(size).unwrap_or(i64::MAX).into(),
    ];
    let rows = all(books, &sql, values).await?;
    rows.iter().map(|row| Ok((row.try_get("", "owner")?, read(row)?))).collect()
}

/// Adds up the charges of a time by what was sold: the mode of the price.
pub(crate) async fn by_product(
    books: &impl Scope,
    currency: Currency,
    span: Span,
) -> Result<Vec<(Uuid, Sums)>, StoreError> {
    let sql = format!(
        "SELECT p.mode, {SUMS} FROM charges c \
         JOIN price_versions p ON p.tenant_id = c.tenant_id AND p.id = c.price_id \
         WHERE c.tenant_id = $1 AND c.currency = $2 AND c.created_at >= $3 AND c.created_at < $4 \
         GROUP BY p.mode ORDER BY p.mode"
    );
    let values = vec![
        books.tenant().0.into(),
        currency.code().into(),
        span.start.0.into(),
        span.end.0.into(),
    ];
    let rows = all(books, &sql, values).await?;
    rows.iter().map(|row| Ok((product(row.try_get("", "mode")?), read(row)?))).collect()
}

fn product(mode: i16) -> Uuid {
    Uuid::from_u128(u128::from(mode.unsigned_abs()))
}

/// The transactions of a time that take others back, after a moment and an id.
pub(crate) async fn reversals(
    books: &impl Scope,
    span: Span,
    after: (i64, Uuid),
    size: u64,
) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM ledger_transactions WHERE tenant_id = $1 \
               AND reverses_id IS NOT NULL AND created_at >= $2 AND created_at < $3 \
               AND (created_at, id) > ($4, $5) ORDER BY created_at, id LIMIT $6";
    let values = vec![
        books.tenant().0.into(),
        span.start.0.into(),
        span.end.0.into(),
        after.0.into(),
        after.1.into(),
        i64::try_from(size).unwrap_or(i64::MAX).into(),
    ];
    all(books, sql, values).await?.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

/// What a charge was for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sale {
    pub(crate) recipient: UserId,
    price: Uuid,
    mode: i16,
}

impl Sale {
    /// The key of the charge's group; `None` for days, which are those of the refund.
    pub(crate) fn key(&self, by: Grouping) -> Option<Uuid> {
        match by {
            Grouping::Day => None,
            Grouping::Product => Some(product(self.mode)),
            Grouping::Recipient => Some(self.recipient.0),
            Grouping::Price => Some(self.price),
        }
    }
}

/// What some charges of the tenant were for.
pub(crate) async fn sales(
    books: &impl Scope,
    charges: &[ChargeId],
) -> Result<HashMap<ChargeId, Sale>, StoreError> {
    if charges.is_empty() {
        return Ok(HashMap::new());
    }
    let list: Vec<String> = (0..charges.len()).map(|n| format!("${}", n + 2)).collect();
    let sql = format!(
        "SELECT c.id, c.recipient_user_id, c.price_id, p.mode FROM charges c \
         JOIN price_versions p ON p.tenant_id = c.tenant_id AND p.id = c.price_id \
         WHERE c.tenant_id = $1 AND c.id IN ({})",
        list.join(", ")
    );
    let values = std::iter::once(books.tenant().0.into());
    let values = values.chain(charges.iter().map(|charge| charge.0.into())).collect();
    let sale = |row: &QueryResult| {
        let sale = Sale {
            recipient: UserId(row.try_get("", "recipient_user_id")?),
            price: row.try_get("", "price_id")?,
            mode: row.try_get("", "mode")?,
        };
        Ok((ChargeId(row.try_get("", "id")?), sale))
    };
    all(books, &sql, values).await?.iter().map(sale).collect()
}
