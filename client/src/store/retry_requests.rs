//! Envelopes that this device has asked for again: each once, and not too many of a device.

use plasma_identity::{DeviceAddress, MAX_LATENCY_SECONDS};
use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, integer};

/// Tells whether an envelope was asked for before.
pub(crate) fn contains(connection: &Connection, hash: &[u8; 32]) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM retry_request WHERE hash = ?1)";
    Ok(connection.query_row(sql, [&hash[..]], |row| row.get(0))?)
}

/// Notes that an envelope of a device is asked for at `moment`.
pub(crate) fn insert(
    connection: &Connection,
    device: DeviceAddress,
    hash: &[u8; 32],
    moment: u64,
) -> Result<(), StoreError> {
    let oldest = integer(moment.saturating_sub(2 * MAX_LATENCY_SECONDS));
    connection.execute("DELETE FROM retry_request WHERE ask_seconds < ?1", [oldest])?;
    connection.execute(
        "INSERT INTO retry_request (hash, device, ask_seconds) VALUES (?1, ?2, ?3)",
        params![&hash[..], &device.to_bytes()[..], integer(moment)],
    )?;
    Ok(())
}

/// Returns the moment of the request to a device that has `newer` later ones, in unix seconds.
pub(crate) fn moment(
    connection: &Connection,
    device: DeviceAddress,
    newer: u32,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT ask_seconds FROM retry_request WHERE device = ?1
               ORDER BY ask_seconds DESC LIMIT 1 OFFSET ?2";
    let key = params![&device.to_bytes()[..], newer];
    let seconds: Option<i64> = connection.query_row(sql, key, |row| row.get(0)).optional()?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()))
}
