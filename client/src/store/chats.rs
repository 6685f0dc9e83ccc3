//! Chats that this device knows, each with its Lamport counter.

use plasma_identity::UserAddress;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::{StoreError, integer, read_user, user_key};
use crate::id::ChatId;

/// Greatest Lamport counter: what a float can count, so that every client language can.
pub(crate) const LAMPORT_MAX: u64 = 1 << 53;

/// A chat of this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownChat {
    /// The chat.
    pub id: ChatId,
    /// The other user.
    pub peer: UserAddress,
    /// The tenant that hosts the chat.
    pub host_tenant: Uuid,
}

pub(crate) fn insert(connection: &Connection, chat: KnownChat) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO chat (chat, peer, host_tenant, lamport) VALUES (?1, ?2, ?3, 0)
         ON CONFLICT DO NOTHING",
        params![
            &chat.id.0.as_bytes()[..],
            &user_key(chat.peer)[..],
            &chat.host_tenant.as_bytes()[..]
        ],
    )?;
    Ok(())
}

pub(crate) fn load(connection: &Connection, id: ChatId) -> Result<Option<KnownChat>, StoreError> {
    let sql = "SELECT peer, host_tenant FROM chat WHERE chat = ?1";
    let row = connection
        .query_row(sql, [&id.0.as_bytes()[..]], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    let Some((peer, host)) = row else { return Ok(None) };
    Ok(Some(KnownChat { id, peer: read_user(&peer)?, host_tenant: super::read_uuid(&host)? }))
}

/// Finds a chat with a peer.
pub(crate) fn with_peer(
    connection: &Connection,
    peer: UserAddress,
) -> Result<Option<ChatId>, StoreError> {
    let sql = "SELECT chat FROM chat WHERE peer = ?1 ORDER BY chat LIMIT 1";
    let key = [&user_key(peer)[..]];
    let chat: Option<Vec<u8>> = connection.query_row(sql, key, |row| row.get(0)).optional()?;
    chat.map(|chat| super::read_uuid(&chat).map(ChatId)).transpose()
}

/// A chat and the greatest counter seen in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ListedChat {
    pub(crate) known: KnownChat,
    pub(crate) lamport: u64,
}

/// Lists every chat, those with a message saved last first.
pub(crate) fn list(connection: &Connection) -> Result<Vec<ListedChat>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT chat, peer, host_tenant, lamport FROM chat
         ORDER BY (SELECT MAX(save_micros) FROM message WHERE message.chat = chat.chat) DESC, chat",
    )?;
    let mut rows = statement.query([])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, peer, host): (Vec<u8>, Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let lamport: i64 = row.get(3)?;
        let known = KnownChat {
            id: ChatId(super::read_uuid(&id)?),
            peer: read_user(&peer)?,
            host_tenant: super::read_uuid(&host)?,
        };
        let lamport = u64::try_from(lamport).map_err(|_| StoreError::Value("lamport"))?;
        listed.push(ListedChat { known, lamport });
    }
    Ok(listed)
}

/// Returns the counter for the next message and keeps it.
pub(crate) fn next_lamport(connection: &Connection, id: ChatId) -> Result<u64, StoreError> {
    let lamport: i64 = connection.query_row(
        "UPDATE chat SET lamport = MIN(lamport + 1, ?2) WHERE chat = ?1 RETURNING lamport",
        params![&id.0.as_bytes()[..], integer(LAMPORT_MAX)],
        |row| row.get(0),
    )?;
    u64::try_from(lamport).map_err(|_| StoreError::Value("lamport"))
}

/// Notes a counter that another device has used.
pub(crate) fn observe_lamport(
    connection: &Connection,
    id: ChatId,
    lamport: u64,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE chat SET lamport = MAX(lamport, ?2) WHERE chat = ?1",
        params![&id.0.as_bytes()[..], integer(lamport)],
    )?;
    Ok(())
}
