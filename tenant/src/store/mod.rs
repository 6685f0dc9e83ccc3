//! The tables of this context, as functions over a scope that holds its tenant.

pub mod api_keys;
pub mod identity_providers;
pub mod tenants;
pub mod used_tokens;
pub mod users;

use plasma_kit::db::StoreError;
use sea_orm::{DbBackend, Statement, Value};

/// Makes a statement that both databases run.
fn statement<const N: usize>(backend: DbBackend, sql: &str, values: [Value; N]) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}

/// A number of a row that no version of the service writes.
fn unknown(column: &str, number: i16) -> StoreError {
    StoreError::Inconsistent(format!("{column} is {number}"))
}
