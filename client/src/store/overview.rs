//! The list of chats as it is shown: the last message, how many are unread, how it is set up.

use rusqlite::{Connection, OptionalExtension};

use super::{StoreError, chats, history, messages, read_ref, read_uuid, settings};
use crate::id::ChatId;
use crate::message::{ChatOverview, Message};

/// Lists every chat, the one with the newest message first.
pub(crate) fn list(connection: &Connection) -> Result<Vec<ChatOverview>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT chat FROM chat
         ORDER BY (SELECT MAX(save_micros) FROM message WHERE message.chat = chat.chat) DESC, chat",
    )?;
    let ids = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    let mut overviews = Vec::with_capacity(ids.len());
    for id in ids {
        let id = ChatId(read_uuid(&id)?);
        let Some(chat) = chats::load(connection, id)? else { continue };
        overviews.push(ChatOverview {
            chat,
            last: last(connection, id)?,
            unread: messages::unread(connection, id)?,
            mute_until_micros: settings::chat(connection, id)?.mute_until_micros,
            disappear_after_seconds: settings::timer(connection, id)?,
        });
    }
    Ok(overviews)
}

fn last(connection: &Connection, chat: ChatId) -> Result<Option<Message>, StoreError> {
    let sql = "SELECT sender, message FROM message WHERE chat = ?1 AND expire_micros IS NULL
               ORDER BY lamport DESC, substr(sender, 33) DESC, sender DESC, message DESC LIMIT 1";
    let row = connection
        .query_row(sql, [&chat.0.as_bytes()[..]], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    match row {
        Some((sender, id)) => history::find(connection, chat, read_ref(&sender, &id)?),
        None => Ok(None),
    }
}
