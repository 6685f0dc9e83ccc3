//! Messages whose time is over. What they said is overwritten; that they existed is remembered for
//! as long as they could be offered again.

use plasma_identity::MAX_LATENCY_SECONDS;
use rusqlite::{Connection, OptionalExtension};

use super::{StoreError, integer, read_ref, read_uuid, wiping};
use crate::id::ChatId;
use crate::message::MessageRef;

/// A message that has not been sent yet (1) waits for that first: nobody loses what was written
/// without a connection.
const TO_EXPIRE: &str = "disappear_seconds > 0 AND count_from_micros IS NOT NULL
                         AND expire_micros IS NULL AND state <> 1";

/// Wipes every message whose time is over and returns them.
pub(crate) fn expire(
    connection: &Connection,
    now_micros: i64,
) -> Result<Vec<(ChatId, MessageRef)>, StoreError> {
    let due = due(connection, now_micros)?;
    for (chat, message) in &due {
        wiping::wipe(connection, *chat, *message)?;
        connection.execute(
            "UPDATE message SET expire_micros = ?3 WHERE sender = ?1 AND message = ?2",
            rusqlite::params![
                &message.sender.to_bytes()[..],
                &message.id.0.as_bytes()[..],
                now_micros
            ],
        )?;
    }
    Ok(due)
}

fn due(connection: &Connection, now_micros: i64) -> Result<Vec<(ChatId, MessageRef)>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT chat, sender, message FROM message
         WHERE {TO_EXPIRE} AND count_from_micros + disappear_seconds * 1000000 <= ?1
         ORDER BY chat, lamport, sender, message"
    ))?;
    let mut rows = statement.query([now_micros])?;
    let mut due = Vec::new();
    while let Some(row) = rows.next()? {
        let (chat, sender, id): (Vec<u8>, Vec<u8>, Vec<u8>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        due.push((ChatId(read_uuid(&chat)?), read_ref(&sender, &id)?));
    }
    Ok(due)
}

/// Returns when the next message disappears.
pub(crate) fn next(connection: &Connection) -> Result<Option<i64>, StoreError> {
    let sql = format!(
        "SELECT count_from_micros + disappear_seconds * 1000000 AS due FROM message
         WHERE {TO_EXPIRE} ORDER BY due LIMIT 1"
    );
    Ok(connection.prepare_cached(&sql)?.query_row([], |row| row.get(0)).optional()?)
}

/// Forgets messages that disappeared so long ago that nobody can send them again.
pub(crate) fn forget_expired(connection: &Connection, now_micros: i64) -> Result<(), StoreError> {
    let oldest = now_micros.saturating_sub(integer(MAX_LATENCY_SECONDS * 1_000_000));
    connection.execute(
        "DELETE FROM annotation WHERE (chat, sender, message) IN
             (SELECT chat, sender, message FROM message WHERE expire_micros < ?1)",
        [oldest],
    )?;
    connection.execute("DELETE FROM message WHERE expire_micros < ?1", [oldest])?;
    Ok(())
}
