//! Messages as they are shown: what was written, and what was said about it since.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::annotations::Kind;
use super::messages::read_state;
use super::{StoreError, read_device, read_ref, read_user, read_uuid};
use crate::id::{ChatId, MessageId};
use crate::message::{Direction, Message, MessageRef, MessageState, Reaction};

const COLUMNS: &str = "sender, message, lamport, body, write_micros, outgoing, state,
    from_removed_device, reply_to_sender, reply_to_message, disappear_seconds, count_from_micros";

/// Lists a chat's messages in their place: by counter, ties by sender device.
pub(crate) fn list(connection: &Connection, chat: ChatId) -> Result<Vec<Message>, StoreError> {
    let mut statement = connection.prepare(&format!(
        "SELECT {COLUMNS} FROM message WHERE chat = ?1 AND expire_micros IS NULL
         ORDER BY lamport, substr(sender, 33), sender, message"
    ))?;
    let mut rows = statement.query([&chat.0.as_bytes()[..]])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(read(row, chat)?);
    }
    let mut said = annotations(connection, chat)?;
    for message in &mut messages {
        for word in said.remove(&message.reference()).unwrap_or_default() {
            word.apply(message);
        }
    }
    Ok(messages)
}

/// Returns one message as it is shown; `None` where it has not come or has disappeared.
pub(crate) fn find(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
) -> Result<Option<Message>, StoreError> {
    let (sender, id) = (message.sender.to_bytes(), message.id.0.into_bytes());
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM message
         WHERE chat = ?1 AND sender = ?2 AND message = ?3 AND expire_micros IS NULL"
    ))?;
    let mut rows = statement.query(params![&chat.0.as_bytes()[..], &sender[..], &id[..]])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut shown = read(row, chat)?;
    let mut statement = connection.prepare_cached(
        "SELECT kind, user, body FROM annotation
         WHERE chat = ?1 AND sender = ?2 AND message = ?3 ORDER BY kind, user",
    )?;
    let mut rows = statement.query(params![&chat.0.as_bytes()[..], &sender[..], &id[..]])?;
    while let Some(row) = rows.next()? {
        Word::read(row, 0)?.apply(&mut shown);
    }
    Ok(Some(shown))
}

/// What one user has said about one message.
struct Word {
    kind: Kind,
    user: Vec<u8>,
    body: String,
}

impl Word {
    fn read(row: &Row<'_>, first: usize) -> Result<Self, StoreError> {
        let kind = Kind::from_number(row.get(first)?)?;
        Ok(Self { kind, user: row.get(first + 1)?, body: row.get(first + 2)? })
    }

    fn apply(self, message: &mut Message) {
        let outgoing = message.direction == Direction::Outgoing;
        match self.kind {
            Kind::Edit => {
                message.text = self.body;
                message.edited = true;
            }
            Kind::Deletion => message.deleted = true,
            Kind::Reaction => {
                if let (false, Ok(user)) = (self.body.is_empty(), read_user(&self.user)) {
                    message.reactions.push(Reaction { user, emoji: self.body });
                }
            }
            Kind::Delivered if outgoing && message.state != MessageState::Read => {
                message.state = MessageState::Delivered;
            }
            Kind::ReadByPeer if outgoing => message.state = MessageState::Read,
            Kind::Read if !outgoing => message.read = true,
            Kind::Delivered | Kind::ReadByPeer | Kind::Read => {}
        }
    }
}

fn annotations(
    connection: &Connection,
    chat: ChatId,
) -> Result<HashMap<MessageRef, Vec<Word>>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT sender, message, kind, user, body FROM annotation
         WHERE chat = ?1 AND NOT dangling ORDER BY sender, message, kind, user",
    )?;
    let mut rows = statement.query([&chat.0.as_bytes()[..]])?;
    let mut said: HashMap<_, Vec<_>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let about = read_ref(&row.get::<_, Vec<u8>>(0)?, &row.get::<_, Vec<u8>>(1)?)?;
        said.entry(about).or_default().push(Word::read(row, 2)?);
    }
    Ok(said)
}

fn read(row: &Row<'_>, chat: ChatId) -> Result<Message, StoreError> {
    let (sender, id): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
    let lamport: i64 = row.get(2)?;
    let outgoing: bool = row.get(5)?;
    let reply: (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(8)?, row.get(9)?);
    let disappear_after_seconds: u32 = row.get(10)?;
    let count_from: Option<i64> = row.get(11)?;
    Ok(Message {
        chat,
        id: MessageId(read_uuid(&id)?),
        sender: read_device(&sender)?,
        lamport: u64::try_from(lamport).map_err(|_| StoreError::Value("lamport"))?,
        text: row.get(3)?,
        write_micros: row.get(4)?,
        direction: if outgoing { Direction::Outgoing } else { Direction::Incoming },
        state: read_state(row.get(6)?)?,
        from_removed_device: row.get(7)?,
        reply_to: match reply {
            (Some(sender), Some(id)) => Some(read_ref(&sender, &id)?),
            _ => None,
        },
        edited: false,
        deleted: false,
        read: false,
        reactions: Vec::new(),
        disappear_after_seconds,
        disappear_micros: count_from
            .filter(|_| disappear_after_seconds > 0)
            .map(|from| from.saturating_add(i64::from(disappear_after_seconds) * 1_000_000)),
    })
}
