//! Control messages that the service has not accepted yet. They outlive the process.

use plasma_identity::{DeviceAddress, MAX_LATENCY_SECONDS};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{StoreError, integer, read_device, read_uuid};
use crate::id::{ChatId, MessageId};

/// What a control message brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Load {
    /// A retry request, as it is.
    Request(Vec<u8>),
    /// A content of the sent log, to be sealed; before that, the session that a retry request
    /// names is left.
    Content { message: MessageId, leaving: Option<Vec<u8>> },
}

/// A message for one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Control {
    /// The message under which it travels.
    pub(crate) message: MessageId,
    pub(crate) device: DeviceAddress,
    /// The chat that permits it; `None` to an own device.
    pub(crate) chat: Option<ChatId>,
    pub(crate) load: Load,
}

/// Keeps a control message until it is sent, at `due` at the earliest.
pub(crate) fn insert(
    connection: &Connection,
    control: &Control,
    due: u64,
) -> Result<(), StoreError> {
    let (request, content, leaving) = match &control.load {
        Load::Request(bytes) => (Some(bytes), None, None),
        Load::Content { message, leaving } => {
            (None, Some(message.0.into_bytes()), leaving.as_ref())
        }
    };
    connection.execute(
        "INSERT INTO control (message, device, chat, due_seconds, request, content, leaving)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            &control.message.0.as_bytes()[..],
            &control.device.to_bytes()[..],
            control.chat.map(|chat| chat.0.into_bytes()),
            integer(due),
            request,
            content,
            leaving,
        ],
    )?;
    Ok(())
}

/// Returns the first control message behind a position that is due, with its position.
pub(crate) fn next_due(
    connection: &Connection,
    behind: i64,
    now: u64,
) -> Result<Option<(i64, Control)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT position, message, device, chat, request, content, leaving FROM control
         WHERE position > ?1 AND due_seconds <= ?2 ORDER BY position LIMIT 1",
    )?;
    let mut rows = statement.query(params![behind, integer(now)])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<(i64, Control), StoreError> {
    let (message, device): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
    let (chat, content): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(3)?, row.get(5)?);
    let load = match (row.get::<_, Option<Vec<u8>>>(4)?, content) {
        (Some(request), None) => Load::Request(request),
        (None, Some(content)) => {
            Load::Content { message: MessageId(read_uuid(&content)?), leaving: row.get(6)? }
        }
        _ => return Err(StoreError::Value("control message")),
    };
    let control = Control {
        message: MessageId(read_uuid(&message)?),
        device: read_device(&device)?,
        chat: chat.map(|chat| read_uuid(&chat).map(ChatId)).transpose()?,
        load,
    };
    Ok((row.get(0)?, control))
}

/// Returns when the next control message is due, in unix seconds.
pub(crate) fn earliest(connection: &Connection) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT due_seconds FROM control ORDER BY due_seconds LIMIT 1";
    let due: Option<i64> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(due.and_then(|due| u64::try_from(due).ok()))
}

/// Puts a control message off.
pub(crate) fn postpone(connection: &Connection, position: i64, due: u64) -> Result<(), StoreError> {
    let sql = "UPDATE control SET due_seconds = ?2 WHERE position = ?1";
    connection.execute(sql, params![position, integer(due)])?;
    Ok(())
}

pub(crate) fn delete(connection: &Connection, position: i64) -> Result<(), StoreError> {
    connection.execute("DELETE FROM control WHERE position = ?1", [position])?;
    Ok(())
}

/// Forgets what nobody can use any more.
pub(crate) fn delete_outdated(connection: &Connection, now: u64) -> Result<(), StoreError> {
    let oldest = integer(now.saturating_sub(MAX_LATENCY_SECONDS));
    connection.execute("DELETE FROM control WHERE due_seconds < ?1", [oldest])?;
    Ok(())
}
