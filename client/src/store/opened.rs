//! Contents other than texts that have been opened, so that one offered again is recognised.

use plasma_identity::{DeviceAddress, MAX_LATENCY_SECONDS};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{StoreError, integer};
use crate::id::MessageId;

/// Notes a content; forgets those that are so old that their keys are gone.
pub(crate) fn insert(
    connection: &Connection,
    sender: DeviceAddress,
    id: MessageId,
    save_micros: i64,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO opened (sender, message, save_micros) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
        params![&sender.to_bytes()[..], &id.0.as_bytes()[..], save_micros],
    )?;
    let oldest = save_micros.saturating_sub(integer(MAX_LATENCY_SECONDS * 1_000_000));
    connection.execute("DELETE FROM opened WHERE save_micros < ?1", [oldest])?;
    Ok(())
}

/// Tells whether a content has been opened before.
pub(crate) fn contains(
    connection: &Connection,
    sender: DeviceAddress,
    id: Uuid,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM opened WHERE sender = ?1 AND message = ?2)";
    let key = params![&sender.to_bytes()[..], &id.as_bytes()[..]];
    Ok(connection.query_row(sql, key, |row| row.get(0))?)
}
