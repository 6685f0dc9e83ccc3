//! Messages, each once: the key is what the encryption authenticates, sender device and message.

use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{StoreError, integer, read_device, read_uuid};
use crate::id::{ChatId, MessageId};
use crate::message::{Direction, Message, MessageState};

/// Keeps a message. Answers whether it is new; a repeated one changes nothing.
pub(crate) fn insert(
    connection: &Connection,
    message: &Message,
    save_micros: i64,
) -> Result<bool, StoreError> {
    let inserted = connection.execute(
        "INSERT INTO message (sender, message, chat, lamport, body, write_micros, save_micros,
                              outgoing, state, from_removed_device)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        params![
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..],
            &message.chat.0.as_bytes()[..],
            integer(message.lamport),
            message.text,
            message.write_micros,
            save_micros,
            message.direction == Direction::Outgoing,
            state_number(message.state),
            message.from_removed_device,
        ],
    )?;
    Ok(inserted == 1)
}

/// Tells whether a user's message of this id is kept.
pub(crate) fn is_kept(
    connection: &Connection,
    sender: plasma_identity::DeviceAddress,
    id: Uuid,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM message WHERE sender = ?1 AND message = ?2)";
    let key = params![&sender.to_bytes()[..], &id.as_bytes()[..]];
    Ok(connection.query_row(sql, key, |row| row.get(0))?)
}

/// Notes what became of a message of this device.
pub(crate) fn set_state(
    connection: &Connection,
    sender: plasma_identity::DeviceAddress,
    id: MessageId,
    state: MessageState,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE message SET state = ?3 WHERE sender = ?1 AND message = ?2",
        params![&sender.to_bytes()[..], &id.0.as_bytes()[..], state_number(state)],
    )?;
    Ok(())
}

/// Lists a chat's messages in their place: by counter, ties by sender device.
pub(crate) fn history(connection: &Connection, chat: ChatId) -> Result<Vec<Message>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT sender, message, lamport, body, write_micros, outgoing, state, from_removed_device
         FROM message WHERE chat = ?1
         ORDER BY lamport, substr(sender, 33), sender, message",
    )?;
    let mut rows = statement.query([&chat.0.as_bytes()[..]])?;
    let mut messages = Vec::new();
    while let Some(row) = rows.next()? {
        messages.push(read(row, chat)?);
    }
    Ok(messages)
}

fn read(row: &Row<'_>, chat: ChatId) -> Result<Message, StoreError> {
    let sender: Vec<u8> = row.get(0)?;
    let id: Vec<u8> = row.get(1)?;
    let lamport: i64 = row.get(2)?;
    let outgoing: bool = row.get(5)?;
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
    })
}

fn state_number(state: MessageState) -> i64 {
    match state {
        MessageState::Pending => 1,
        MessageState::Sent => 2,
        MessageState::Failed => 3,
        MessageState::Received => 4,
    }
}

fn read_state(number: i64) -> Result<MessageState, StoreError> {
    match number {
        1 => Ok(MessageState::Pending),
        2 => Ok(MessageState::Sent),
        3 => Ok(MessageState::Failed),
        4 => Ok(MessageState::Received),
        _ => Err(StoreError::Value("message state")),
    }
}
