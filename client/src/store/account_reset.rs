//! The reset of this device's account that the service has announced last.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use crate::device::PendingReset;

/// Keeps what the service says now: a pending reset, or none.
pub(crate) fn set(connection: &Connection, reset: Option<PendingReset>) -> Result<(), StoreError> {
    let Some(reset) = reset else {
        connection.execute("DELETE FROM account_reset", [])?;
        return Ok(());
    };
    connection.execute(
        "INSERT INTO account_reset (only, request_micros, effective_micros, expire_micros)
         VALUES (1, ?1, ?2, ?3)
         ON CONFLICT (only) DO UPDATE SET request_micros = excluded.request_micros,
             effective_micros = excluded.effective_micros, expire_micros = excluded.expire_micros",
        params![reset.request_micros, reset.effective_micros, reset.expire_micros],
    )?;
    Ok(())
}

pub(crate) fn load(connection: &Connection) -> Result<Option<PendingReset>, StoreError> {
    let sql = "SELECT request_micros, effective_micros, expire_micros FROM account_reset";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(PendingReset {
            request_micros: row.get(0)?,
            effective_micros: row.get(1)?,
            expire_micros: row.get(2)?,
        })
    };
    Ok(connection.query_row(sql, [], read).optional()?)
}
