//! What was sent, so that it can be sent once more to a device that could not open it: each
//! envelope by its hash, and its content once. Kept for 45 days at most, and never more than a
//! bounded number of envelopes.

use plasma_identity::{DeviceAddress, MAX_LATENCY_SECONDS};
use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, integer, read_uuid};
use crate::id::{ChatId, MessageId};
use crate::message::MessageRef;

/// Envelopes that are remembered; the oldest go first.
const ENVELOPES_MAX: i64 = 20_000;

/// A content that is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    /// The message under which it travels.
    pub(crate) message: MessageId,
    /// The message that it carries: another one in a forward.
    pub(crate) carries: MessageRef,
    /// The chat; `None` for what goes to own devices alone.
    pub(crate) chat: Option<ChatId>,
    pub(crate) content: &'a [u8],
}

/// An envelope that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logged {
    pub(crate) message: MessageId,
    pub(crate) chat: Option<ChatId>,
    /// Whether it was asked for again before.
    pub(crate) answered: bool,
}

/// Keeps a content; one that is there already stays as it is.
pub(crate) fn keep(connection: &Connection, sent: &Sent<'_>, now: u64) -> Result<(), StoreError> {
    let oldest = integer(now.saturating_sub(MAX_LATENCY_SECONDS));
    connection.execute("DELETE FROM sent_content WHERE keep_seconds < ?1", [oldest])?;
    connection.execute(
        "INSERT INTO sent_content (message, writer, written, chat, content, keep_seconds)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        params![
            &sent.message.0.as_bytes()[..],
            &sent.carries.sender.to_bytes()[..],
            &sent.carries.id.0.as_bytes()[..],
            sent.chat.map(|chat| chat.0.into_bytes()),
            sent.content,
            integer(now),
        ],
    )?;
    Ok(())
}

/// Notes an envelope of a content that is kept.
pub(crate) fn note_envelope(
    connection: &Connection,
    device: DeviceAddress,
    hash: &[u8; 32],
    message: MessageId,
) -> Result<(), StoreError> {
    let position: i64 = connection.query_row(
        "INSERT INTO sent_envelope (device, hash, message, answered) VALUES (?1, ?2, ?3, FALSE)
         RETURNING position",
        params![&device.to_bytes()[..], &hash[..], &message.0.as_bytes()[..]],
        |row| row.get(0),
    )?;
    trim(connection, position - ENVELOPES_MAX)
}

/// Forgets envelopes up to a position, and contents that no envelope is left of.
fn trim(connection: &Connection, last: i64) -> Result<(), StoreError> {
    let mut delete = connection
        .prepare_cached("DELETE FROM sent_envelope WHERE position <= ?1 RETURNING message")?;
    let rows = delete.query_map([last], |row| row.get::<_, Vec<u8>>(0))?;
    let messages = rows.collect::<Result<Vec<_>, _>>()?;
    for message in messages {
        connection.execute(
            "DELETE FROM sent_content WHERE message = ?1
             AND NOT EXISTS (SELECT 1 FROM sent_envelope e WHERE e.message = ?1)
             AND NOT EXISTS (SELECT 1 FROM control c WHERE c.content = ?1)",
            [message],
        )?;
    }
    Ok(())
}

/// Finds the envelope of a hash that was sent to exactly this device.
pub(crate) fn find(
    connection: &Connection,
    device: DeviceAddress,
    hash: &[u8; 32],
) -> Result<Option<Logged>, StoreError> {
    let row = connection
        .query_row(
            "SELECT message, chat, answered FROM sent_envelope JOIN sent_content USING (message)
             WHERE device = ?1 AND hash = ?2",
            params![&device.to_bytes()[..], &hash[..]],
            |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get::<_, Option<Vec<u8>>>(1)?,
                    row.get::<_, bool>(2)?,
                ))
            },
        )
        .optional()?;
    let Some((message, chat, answered)) = row else { return Ok(None) };
    let chat = chat.map(|chat| read_uuid(&chat).map(ChatId)).transpose()?;
    Ok(Some(Logged { message: MessageId(read_uuid(&message)?), chat, answered }))
}

/// Notes that an envelope was asked for again, and is not to be answered another time.
pub(crate) fn mark_answered(
    connection: &Connection,
    device: DeviceAddress,
    hash: &[u8; 32],
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE sent_envelope SET answered = TRUE WHERE device = ?1 AND hash = ?2",
        params![&device.to_bytes()[..], &hash[..]],
    )?;
    Ok(())
}

/// Counts one more time that a message is sent again to a device; returns which time it is.
pub(crate) fn count_resend(
    connection: &Connection,
    message: MessageId,
    device: DeviceAddress,
) -> Result<u32, StoreError> {
    Ok(connection.query_row(
        "INSERT INTO resend (message, device, count) VALUES (?1, ?2, 1)
         ON CONFLICT (message, device) DO UPDATE SET count = count + 1 RETURNING count",
        params![&message.0.as_bytes()[..], &device.to_bytes()[..]],
        |row| row.get(0),
    )?)
}

/// Loads a content that was sent.
pub(crate) fn content(
    connection: &Connection,
    message: MessageId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT content FROM sent_content WHERE message = ?1";
    let key = [&message.0.as_bytes()[..]];
    Ok(connection.query_row(sql, key, |row| row.get(0)).optional()?)
}

/// Forgets a message that was deleted or has disappeared: it is not sent again, nor forwarded.
pub(crate) fn forget(connection: &Connection, message: &MessageRef) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM sent_content WHERE writer = ?1 AND written = ?2",
        params![&message.sender.to_bytes()[..], &message.id.0.as_bytes()[..]],
    )?;
    Ok(())
}

/// Returns when the session with a device was last left for a retry request, in unix seconds.
pub(crate) fn left(
    connection: &Connection,
    device: DeviceAddress,
) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT leave_seconds FROM session_left WHERE device = ?1";
    let key = [&device.to_bytes()[..]];
    let seconds: Option<i64> = connection.query_row(sql, key, |row| row.get(0)).optional()?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()))
}

/// Notes that the session with a device is left for a retry request.
pub(crate) fn mark_left(
    connection: &Connection,
    device: DeviceAddress,
    now: u64,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO session_left (device, leave_seconds) VALUES (?1, ?2)
         ON CONFLICT (device) DO UPDATE SET leave_seconds = excluded.leave_seconds",
        params![&device.to_bytes()[..], integer(now)],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::store::Store;
    use crate::testing::device;

    fn sent(writer: DeviceAddress, number: u128, content: &[u8]) -> Sent<'_> {
        let id = MessageId(Uuid::from_u128(number));
        Sent { message: id, carries: MessageRef { sender: writer, id }, chat: None, content }
    }

    #[tokio::test]
    async fn what_is_forgotten_old_or_beyond_the_bound_is_not_found() {
        let device = device(1, Store::in_memory().unwrap());
        let (to, day) = (device.address(), 86_400);
        let found = |hash: &[u8; 32]| {
            device.inner.store.read(|db| find(db, to, hash)).unwrap().map(|logged| logged.message)
        };
        let keep_one = |number: u8, now| {
            let hash = [number; 32];
            let sent = sent(to, number.into(), b"content");
            device
                .inner
                .store
                .write(|tx| {
                    keep(tx, &sent, now)?;
                    note_envelope(tx, to, &hash, sent.message)
                })
                .unwrap();
            hash
        };
        let (first, second) = (keep_one(1, 100 * day), keep_one(2, 101 * day));
        assert!(found(&first).is_some() && found(&second).is_some());
        let third = keep_one(3, 146 * day);
        assert_eq!((found(&first), found(&second).is_some()), (None, true), "45 days");
        let carried = sent(to, 3, b"").carries;
        device.inner.store.write(|tx| forget(tx, &carried)).unwrap();
        assert_eq!(found(&third), None);
        device.inner.store.write(|tx| trim(tx, 2)).unwrap();
        assert_eq!(found(&second), None);
        let left: u32 = device
            .inner
            .store
            .read(|db| db.query_row("SELECT COUNT(*) FROM sent_content", [], |row| row.get(0)))
            .unwrap();
        assert_eq!(left, 0, "no content outlives its envelopes");
    }
}
