//! Messages whose sender has not been told yet that they have come. They outlive the process.

use rusqlite::{Connection, params};

use super::{StoreError, read_ref, read_uuid};
use crate::id::ChatId;
use crate::message::MessageRef;

pub(crate) fn insert(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO receipt_due (sender, message, chat) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
        params![
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..],
            &chat.0.as_bytes()[..]
        ],
    )?;
    Ok(())
}

/// Forgets one: the sender has been told, by this device or another.
pub(crate) fn delete(connection: &Connection, message: MessageRef) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM receipt_due WHERE sender = ?1 AND message = ?2",
        params![&message.sender.to_bytes()[..], &message.id.0.as_bytes()[..]],
    )?;
    Ok(())
}

/// Lists the chats in which somebody is to be told.
pub(crate) fn chats(connection: &Connection) -> Result<Vec<ChatId>, StoreError> {
    let mut statement =
        connection.prepare("SELECT DISTINCT chat FROM receipt_due ORDER BY chat")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|chat| Ok(ChatId(read_uuid(&chat?)?))).collect()
}

/// Takes up to `count` messages of a chat out, the oldest first.
pub(crate) fn take(
    connection: &Connection,
    chat: ChatId,
    count: usize,
) -> Result<Vec<MessageRef>, StoreError> {
    let mut statement = connection.prepare(
        "DELETE FROM receipt_due WHERE rowid IN
             (SELECT rowid FROM receipt_due WHERE chat = ?1 ORDER BY rowid LIMIT ?2)
         RETURNING sender, message",
    )?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![&chat.0.as_bytes()[..], count])?;
    let mut taken = Vec::new();
    while let Some(row) = rows.next()? {
        taken.push(read_ref(&row.get::<_, Vec<u8>>(0)?, &row.get::<_, Vec<u8>>(1)?)?);
    }
    Ok(taken)
}
