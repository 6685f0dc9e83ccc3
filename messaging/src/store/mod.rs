//! What this context keeps, as functions over a tenant's handle.

pub(crate) mod account_resets;
pub(crate) mod accounts;
pub(crate) mod chats;
pub(crate) mod devices;
pub(crate) mod envelopes;
pub(crate) mod linkings;
pub(crate) mod links;
pub(crate) mod prekeys;
pub(crate) mod recovery_kits;
pub(crate) mod removal;
pub(crate) mod reports;

use plasma_kit::paging::Cursor;
use plasma_kit::{Scope, StoreError, Timestamp};
use sea_orm::{QueryResult, Statement, Value};
use uuid::Uuid;

/// A statement for the scope's database.
fn statement<const N: usize>(scope: &impl Scope, sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(scope.backend(), sql, values)
}

fn hash(row: &QueryResult, column: &str) -> Result<[u8; 32], StoreError> {
    let bytes: Vec<u8> = row.try_get("", column)?;
    bytes.try_into().map_err(|_| StoreError::Inconsistent(format!("{column} is not 32 bytes")))
}

fn moment(row: &QueryResult, column: &str) -> Result<Timestamp, StoreError> {
    Ok(Timestamp(row.try_get("", column)?))
}

fn optional_moment(row: &QueryResult, column: &str) -> Result<Option<Timestamp>, StoreError> {
    let value: Option<i64> = row.try_get("", column)?;
    Ok(value.map(Timestamp))
}

/// The sort key before which a page of a list, newest first, begins.
fn before(after: Option<Cursor>) -> (i64, Uuid) {
    after.map_or((i64::MAX, Uuid::max()), |cursor| (cursor.key, cursor.id))
}
