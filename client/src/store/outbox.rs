//! Contents that the service has not accepted yet. They outlive the process.

use plasma_proto::messaging::v1::SendRequest;
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension, params};

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

/// Keeps how a content of a chat was sealed, so that it is sent again as it is.
pub(crate) fn keep_sealed(
    connection: &Connection,
    message: MessageId,
    sealed: &[u8],
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE outbox SET sealed = ?2 WHERE message = ?1 AND chat IS NOT NULL",
        params![&message.0.as_bytes()[..], sealed],
    )?;
    Ok(())
}

/// How a content was sealed when it was sent before; `None` where it was not.
pub(crate) fn sealed(
    connection: &Connection,
    message: MessageId,
) -> Result<Option<SendRequest>, StoreError> {
    let sql = "SELECT sealed FROM outbox WHERE message = ?1";
    let key = [&message.0.as_bytes()[..]];
    let sealed: Option<Option<Vec<u8>>> =
        connection.query_row(sql, key, |row| row.get(0)).optional()?;
    let read = |bytes: Vec<u8>| {
        SendRequest::decode(bytes.as_slice()).map_err(|_| StoreError::Value("sealed"))
    };
    sealed.flatten().map(read).transpose()
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
