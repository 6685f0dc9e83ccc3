//! What has been opened, so that it is recognised where it is offered again: contents other than
//! texts by their id, envelopes by their hash.

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

/// Notes an envelope; forgets those that are so old that nobody holds them any more.
pub(crate) fn insert_envelope(
    connection: &Connection,
    hash: &[u8; 32],
    now: u64,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO opened_envelope (hash, open_seconds) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![&hash[..], integer(now)],
    )?;
    let oldest = integer(now.saturating_sub(MAX_LATENCY_SECONDS));
    connection.execute("DELETE FROM opened_envelope WHERE open_seconds < ?1", [oldest])?;
    Ok(())
}

/// Tells whether an envelope has been opened before.
pub(crate) fn contains_envelope(
    connection: &Connection,
    hash: &[u8; 32],
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM opened_envelope WHERE hash = ?1)";
    Ok(connection.query_row(sql, [&hash[..]], |row| row.get(0))?)
}
