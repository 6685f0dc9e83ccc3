//! Messages, each once: the key is what the encryption authenticates, sender device and message.

use plasma_identity::DeviceAddress;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::{StoreError, integer};
use crate::id::{ChatId, MessageId};
use crate::message::{Direction, Message, MessageRef, MessageState};

/// Keeps a message. Answers whether it is new; a repeated one changes nothing.
///
/// `count_from_micros` says since when its time to disappear counts, where it does already.
pub(crate) fn insert(
    connection: &Connection,
    message: &Message,
    count_from_micros: Option<i64>,
    save_micros: i64,
) -> Result<bool, StoreError> {
    let inserted = connection.execute(
        "INSERT INTO message (sender, message, chat, lamport, body, write_micros, save_micros,
                              outgoing, state, from_removed_device, reply_to_sender,
                              reply_to_message, disappear_seconds, count_from_micros)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT DO NOTHING",
        params![
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..],
            &message.chat.0.as_bytes()[..],
            integer(message.lamport),
            message.text,
            message.write_micros,
            save_micros,
            message.direction == Direction::Outgoing,
            state_number(message.state)?,
            message.from_removed_device,
            message.reply_to.map(|reply| reply.sender.to_bytes().to_vec()),
            message.reply_to.map(|reply| reply.id.0.as_bytes().to_vec()),
            message.disappear_after_seconds,
            count_from_micros,
        ],
    )?;
    Ok(inserted == 1)
}

/// Tells whether a user's message of this id is kept.
pub(crate) fn is_kept(
    connection: &Connection,
    sender: DeviceAddress,
    id: Uuid,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM message WHERE sender = ?1 AND message = ?2)";
    let key = params![&sender.to_bytes()[..], &id.as_bytes()[..]];
    Ok(connection.query_row(sql, key, |row| row.get(0))?)
}

/// Notes what the service did with a message of this device. A state never goes back.
pub(crate) fn set_state(
    connection: &Connection,
    sender: DeviceAddress,
    id: MessageId,
    state: MessageState,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE message SET state = ?3 WHERE sender = ?1 AND message = ?2 AND state = ?4",
        params![
            &sender.to_bytes()[..],
            &id.0.as_bytes()[..],
            state_number(state)?,
            state_number(MessageState::Pending)?
        ],
    )?;
    Ok(())
}

/// Starts the time after which a message disappears; the earliest start holds.
pub(crate) fn count_from(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
    micros: i64,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE message SET count_from_micros = MIN(COALESCE(count_from_micros, ?4), ?4)
         WHERE chat = ?1 AND sender = ?2 AND message = ?3",
        params![
            &chat.0.as_bytes()[..],
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..],
            micros
        ],
    )?;
    Ok(())
}

/// Overwrites what a message says. Answers whether the message is kept.
pub(crate) fn wipe(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
) -> Result<bool, StoreError> {
    let wiped = connection.execute(
        "UPDATE message SET body = '', reply_to_sender = NULL, reply_to_message = NULL
         WHERE chat = ?1 AND sender = ?2 AND message = ?3",
        params![
            &chat.0.as_bytes()[..],
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..]
        ],
    )?;
    Ok(wiped == 1)
}

/// Tells whether a message has disappeared.
pub(crate) fn has_expired(
    connection: &Connection,
    message: MessageRef,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM message
                              WHERE sender = ?1 AND message = ?2 AND expire_micros IS NOT NULL)";
    let key = params![&message.sender.to_bytes()[..], &message.id.0.as_bytes()[..]];
    Ok(connection.query_row(sql, key, |row| row.get(0))?)
}

/// Lists the incoming messages up to the place of one that this user has not read.
///
/// `None` where that message is not kept.
pub(crate) fn unread_up_to(
    connection: &Connection,
    chat: ChatId,
    up_to: MessageRef,
) -> Result<Option<Vec<MessageRef>>, StoreError> {
    let place = connection
        .query_row(
            "SELECT lamport FROM message WHERE chat = ?1 AND sender = ?2 AND message = ?3",
            params![
                &chat.0.as_bytes()[..],
                &up_to.sender.to_bytes()[..],
                &up_to.id.0.as_bytes()[..]
            ],
            |row| row.get::<_, i64>(0),
        )
        .optional()?;
    let Some(lamport) = place else { return Ok(None) };
    let sql = format!(
        "SELECT sender, message FROM message m WHERE {UNREAD}
             AND (lamport, substr(sender, 33), sender, message) <= (?2, substr(?3, 33), ?3, ?4)
         ORDER BY lamport, substr(sender, 33), sender, message"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params![
        &chat.0.as_bytes()[..],
        lamport,
        &up_to.sender.to_bytes()[..],
        &up_to.id.0.as_bytes()[..]
    ])?;
    let mut unread = Vec::new();
    while let Some(row) = rows.next()? {
        unread.push(super::read_ref(&row.get::<_, Vec<u8>>(0)?, &row.get::<_, Vec<u8>>(1)?)?);
    }
    Ok(Some(unread))
}

/// Counts the incoming messages of a chat that this user has neither read nor lost.
pub(crate) fn unread(connection: &Connection, chat: ChatId) -> Result<u64, StoreError> {
    let sql = format!("SELECT COUNT(*) FROM message m WHERE {UNREAD}");
    let count: i64 = connection.query_row(&sql, [&chat.0.as_bytes()[..]], |row| row.get(0))?;
    u64::try_from(count).map_err(|_| StoreError::Value("count"))
}

/// Of the chat `?1`: incoming, shown, neither deleted (2) nor read by this user (6).
const UNREAD: &str = "m.chat = ?1 AND NOT m.outgoing AND m.expire_micros IS NULL
    AND NOT EXISTS (SELECT 1 FROM annotation a
                    WHERE a.chat = m.chat AND a.sender = m.sender AND a.message = m.message
                      AND a.kind IN (2, 6))";

fn state_number(state: MessageState) -> Result<i64, StoreError> {
    match state {
        MessageState::Pending => Ok(1),
        MessageState::Sent => Ok(2),
        MessageState::Failed => Ok(3),
        MessageState::Received => Ok(4),
        // What the peer says is kept as the peer's word.
        MessageState::Delivered | MessageState::Read => Err(StoreError::Value("message state")),
    }
}

pub(super) fn read_state(number: i64) -> Result<MessageState, StoreError> {
    match number {
        1 => Ok(MessageState::Pending),
        2 => Ok(MessageState::Sent),
        3 => Ok(MessageState::Failed),
        4 => Ok(MessageState::Received),
        _ => Err(StoreError::Value("message state")),
    }
}
