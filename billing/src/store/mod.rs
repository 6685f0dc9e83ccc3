//! Rows of billing's tables. Everything takes a scope, which holds the tenant; what writes takes
//! one that is inside a transaction.

pub(crate) mod audit;
pub(crate) mod charges;
pub(crate) mod clocks;
pub(crate) mod external;
pub(crate) mod history;
pub(crate) mod ledger;
pub(crate) mod passes;
pub(crate) mod payer_groups;
pub(crate) mod payers;
pub(crate) mod payouts;
pub(crate) mod price_drafts;
pub(crate) mod prices;
pub(crate) mod recorded;
pub(crate) mod refunds;
pub(crate) mod replay;
pub(crate) mod revenue;
pub(crate) mod spent_messages;
pub(crate) mod statement;
pub(crate) mod subscriptions;
pub(crate) mod trials;
pub(crate) mod wallets;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, QueryResult, Statement, Value};

use plasma_kit::db::{Scope, StoreError, TenantTx};
use plasma_kit::ids::TenantId;
use plasma_kit::paging::Cursor;

use crate::domain::money::{Currency, Money};

/// A scope inside a transaction: what one may write to.
pub(crate) trait Write: Scope {}

impl Write for TenantTx {}

/// Another tenant's books within the same transaction: a charge between platforms posts to both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BooksOf<'a> {
    tx: &'a TenantTx,
    tenant: TenantId,
}

impl<'a> BooksOf<'a> {
    /// The books of `tenant`, which is a party of the charge that `tx` makes.
    pub(crate) fn party(tx: &'a TenantTx, tenant: TenantId) -> Self {
        Self { tx, tenant }
    }
}

impl Scope for BooksOf<'_> {
    type Connection = DatabaseTransaction;

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn conn(&self) -> &DatabaseTransaction {
        self.tx.conn()
    }
}

impl Write for BooksOf<'_> {}

/// Runs a statement that writes, and says how many rows it touched.
async fn write(scope: &impl Write, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
    let statement = Statement::from_sql_and_values(scope.backend(), sql, values);
    Ok(scope.conn().execute_raw(statement).await?.rows_affected())
}

async fn one(
    scope: &impl Scope,
    sql: &str,
    values: Vec<Value>,
) -> Result<Option<QueryResult>, StoreError> {
    let statement = Statement::from_sql_and_values(scope.backend(), sql, values);
    Ok(scope.conn().query_one_raw(statement).await?)
}

async fn all(
    scope: &impl Scope,
    sql: &str,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, StoreError> {
    let statement = Statement::from_sql_and_values(scope.backend(), sql, values);
    Ok(scope.conn().query_all_raw(statement).await?)
}

/// Placeholders for several rows: `($1, $2), ($3, $4)`.
fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let columns: Vec<String> =
            (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", columns.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// Where a page that goes from new to old begins: below the cursor, or at the top.
fn below(cursor: Option<Cursor>) -> [Value; 2] {
    let cursor = cursor.unwrap_or(Cursor { key: i64::MAX, id: uuid::Uuid::max() });
    [cursor.key.into(), cursor.id.into()]
}

/// Where a page that goes from old to new begins: above the cursor, or at the bottom.
fn above(cursor: Option<Cursor>) -> [Value; 2] {
    let cursor = cursor.unwrap_or(Cursor { key: i64::MIN, id: uuid::Uuid::nil() });
    [cursor.key.into(), cursor.id.into()]
}

/// Lets one transaction of the tenant after the other count the rows of a list that has a limit.
async fn in_turn(scope: &impl Write) -> Result<(), StoreError> {
    // The embedded database has one writer at a time anyway.
    if scope.backend() == DbBackend::Postgres {
        let (_, key) = scope.tenant().0.as_u64_pair();
        write(scope, "SELECT pg_advisory_xact_lock($1)", vec![key.cast_signed().into()]).await?;
    }
    Ok(())
}

fn limit(size: u64) -> Value {
    // One more than the page, to know whether another follows.
    i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1).into()
}

fn currency(code: &str) -> Result<Currency, StoreError> {
    Currency::parse(code)
        .ok_or_else(|| StoreError::Inconsistent(format!("the stored currency {code} is unknown")))
}

fn money(code: &str, minor_units: i64) -> Result<Money, StoreError> {
    Money::new(currency(code)?, minor_units)
        .ok_or_else(|| StoreError::Inconsistent(format!("the stored amount {minor_units}")))
}

#[cfg(test)]
mod tests {
    use super::placeholders;

    #[test]
    fn placeholders_count_through_all_rows() {
        assert_eq!(placeholders(2, 3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(placeholders(1, 1), "($1)");
    }
}
