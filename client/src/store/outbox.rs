//! Contents that the service has not accepted yet. They outlive the process.

use rusqlite::{Connection, params};

use super::{StoreError, read_uuid};
use crate::id::{ChatId, MessageId};

/// Whom a content is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Every device of the peer of a chat, and every other device of this user.
    Chat(ChatId),
    /// Every other device of this user.
    Own,
}

/// A content on its way.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) message: MessageId,
    pub(crate) route: Route,
    pub(crate) content: Vec<u8>,
}

pub(crate) fn insert(connection: &Connection, outgoing: &Outgoing) -> Result<(), StoreError> {
    let chat = match outgoing.route {
        Route::Chat(chat) => Some(chat.0.into_bytes()),
        Route::Own => None,
    };
    connection.execute(
        "INSERT INTO outbox (message, chat, content, position)
         VALUES (?1, ?2, ?3, (SELECT COALESCE(MAX(position), 0) + 1 FROM outbox))",
        params![&outgoing.message.0.as_bytes()[..], chat, outgoing.content],
    )?;
    Ok(())
}

pub(crate) fn delete(connection: &Connection, message: MessageId) -> Result<(), StoreError> {
    connection.execute("DELETE FROM outbox WHERE message = ?1", [&message.0.as_bytes()[..]])?;
    Ok(())
}

/// Lists what waits, oldest first.
pub(crate) fn list(connection: &Connection) -> Result<Vec<Outgoing>, StoreError> {
    let mut statement =
        connection.prepare("SELECT message, chat, content FROM outbox ORDER BY position")?;
    let mut rows = statement.query([])?;
    let mut waiting = Vec::new();
    while let Some(row) = rows.next()? {
        let (message, chat): (Vec<u8>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
        waiting.push(Outgoing {
            message: MessageId(read_uuid(&message)?),
            route: match chat {
                Some(chat) => Route::Chat(ChatId(read_uuid(&chat)?)),
                None => Route::Own,
            },
            content: row.get(2)?,
        });
    }
    Ok(waiting)
}
