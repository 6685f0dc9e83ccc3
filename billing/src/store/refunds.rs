//! Refunds, in the books of the recipient's tenant. Each carries what was given back up to it.

use sea_orm::QueryResult;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ChargeId, RefundId};
use plasma_kit::paging::Cursor;

use super::{Write, all, below, limit, one, placeholders, write};
use crate::domain::refund::Refund;
use crate::domain::split::Split;

const COLUMNS: &str = "id, charge_id, ordinal, currency, operator_minor_units, \
                       recipient_minor_units, platform_minor_units, \
                       refunded_operator_minor_units, refunded_recipient_minor_units, \
                       refunded_platform_minor_units, charge_minor_units, ended_access, \
                       reference, created_at";

/// Inserts a refund. `false` where another has its number among the charge's refunds; nothing is
/// written then. Waits for a parallel transaction that is about to take it.
pub(crate) async fn insert(
    books: &impl Write,
    refund: &Refund,
    reference: &str,
) -> Result<bool, StoreError> {
    let sql = format!(
        "INSERT INTO refunds (tenant_id, {COLUMNS}) VALUES {} ON CONFLICT DO NOTHING",
        placeholders(1, 15)
    );
    let values = vec![
        books.tenant().0.into(),
        refund.id.0.into(),
        refund.charge.id.0.into(),
        refund.ordinal.into(),
        refund.charge.money.currency().code().into(),
        refund.given.operator().into(),
        refund.given.recipient().into(),
        refund.given.platform().into(),
        refund.refunded.operator().into(),
        refund.refunded.recipient().into(),
        refund.refunded.platform().into(),
        refund.charge.money.minor_units().into(),
        refund.ended_access.into(),
        reference.into(),
        refund.created_at.0.into(),
    ];
    Ok(write(books, &sql, values).await? == 1)
}

/// The number of the latest refund of a charge, and what has been given back with it; 0 and nothing
/// where there is none.
pub(crate) async fn latest(
    books: &impl Scope,
    charge: ChargeId,
) -> Result<(i64, Split), StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM refunds WHERE tenant_id = $1 AND charge_id = $2 \
         ORDER BY ordinal DESC LIMIT 1"
    );
    let row = one(books, &sql, vec![books.tenant().0.into(), charge.0.into()]).await?;
    let row = row.map(|row| refund(&row)).transpose()?;
    Ok(row.map_or((0, Split::from_parts(0, 0, 0)), |row| (row.ordinal, row.refunded)))
}

/// A refund as it was stored.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: RefundId,
    pub(crate) charge: ChargeId,
    pub(crate) ordinal: i64,
    pub(crate) currency: String,
    pub(crate) given: Split,
    pub(crate) refunded: Split,
    pub(crate) ended_access: bool,
    pub(crate) reference: String,
    pub(crate) created_at: Timestamp,
}

impl Row {
    /// Where a page that ends with this refund ends.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { key: self.created_at.0, id: self.id.0 }
    }
}

/// Lists the tenant's refunds, newest first, one more than `size`.
pub(crate) async fn list(
    books: &impl Scope,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Row>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM refunds WHERE tenant_id = $1 AND (created_at, id) < ($2, $3) \
         ORDER BY created_at DESC, id DESC LIMIT $4"
    );
    let [key, id] = below(cursor);
    let values = vec![books.tenant().0.into(), key, id, limit(size)];
    all(books, &sql, values).await?.iter().map(refund).collect()
}

fn refund(row: &QueryResult) -> Result<Row, StoreError> {
    let number = |column: &str| row.try_get::<i64>("", column);
    let split = |prefix: &str| -> Result<Split, StoreError> {
        Ok(Split::from_parts(
            number(&format!("{prefix}operator_minor_units"))?,
            number(&format!("{prefix}recipient_minor_units"))?,
            number(&format!("{prefix}platform_minor_units"))?,
        ))
    };
    Ok(Row {
        id: RefundId(row.try_get("", "id")?),
        charge: ChargeId(row.try_get("", "charge_id")?),
        ordinal: number("ordinal")?,
        currency: row.try_get("", "currency")?,
        given: split("")?,
        refunded: split("refunded_")?,
        ended_access: row.try_get("", "ended_access")?,
        reference: row.try_get("", "reference")?,
        created_at: Timestamp(number("created_at")?),
    })
}
