//! What users have said about messages: edits, deletions, reactions, receipts, read marks.
//!
//! An annotation is kept under the message that it names, whether that has come or not, and the
//! greatest one of a user holds. So nothing depends on what arrives first. Those whose message has
//! not come are bounded in number and age.

use plasma_identity::{DeviceAddress, MAX_LATENCY_SECONDS, UserAddress};
use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, integer, user_key};
use crate::id::ChatId;
use crate::message::MessageRef;

/// Annotations without their message that one user may have in one chat; the oldest go first.
const DANGLING_MAX: u32 = 4_096;

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Another text, by the author.
    Edit,
    /// Withdrawn, by the author.
    Deletion,
    /// An emoji; empty where it was taken back.
    Reaction,
    /// The peer has it.
    Delivered,
    /// The peer has read it.
    ReadByPeer,
    /// This user has read it, on whichever device.
    Read,
}

impl Kind {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Edit => 1,
            Self::Deletion => 2,
            Self::Reaction => 3,
            Self::Delivered => 4,
            Self::ReadByPeer => 5,
            Self::Read => 6,
        }
    }

    pub(crate) fn from_number(number: i64) -> Result<Self, StoreError> {
        Ok(match number {
            1 => Self::Edit,
            2 => Self::Deletion,
            3 => Self::Reaction,
            4 => Self::Delivered,
            5 => Self::ReadByPeer,
            6 => Self::Read,
            _ => return Err(StoreError::Value("annotation")),
        })
    }
}

/// One user's word about one message.
#[derive(Debug, Clone)]
pub(crate) struct Annotation {
    pub(crate) chat: ChatId,
    pub(crate) message: MessageRef,
    pub(crate) kind: Kind,
    pub(crate) user: UserAddress,
    /// Where in the chat it was said and by which device: the last place holds. `None` where the
    /// place does not matter.
    pub(crate) place: Option<(u64, DeviceAddress)>,
    pub(crate) body: String,
    /// When, for read marks: the earliest holds. 0 otherwise.
    pub(crate) micros: i64,
}

/// Keeps an annotation unless a greater one of the same user is kept. Answers whether it holds now
/// and did not before.
pub(crate) fn keep(
    connection: &Connection,
    annotation: &Annotation,
    now_micros: i64,
) -> Result<bool, StoreError> {
    let Annotation { chat, message, kind, user, place, body, micros } = annotation;
    let (lamport, device) = match place {
        Some((lamport, device)) => (*lamport, device.to_bytes().to_vec()),
        None => (0, Vec::new()),
    };
    let (sender, id) = (message.sender.to_bytes(), message.id.0.as_bytes());
    let dangling = !is_known(connection, *chat, *message)?;
    let changed = connection.execute(
        "INSERT INTO annotation (chat, sender, message, kind, user, lamport, device, body, micros,
                                 save_micros, dangling)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (chat, sender, message, kind, user) DO UPDATE SET
             lamport = excluded.lamport, device = excluded.device, body = excluded.body,
             micros = excluded.micros
         WHERE (excluded.lamport, substr(excluded.device, 33), excluded.device, excluded.body,
                -excluded.micros)
             > (annotation.lamport, substr(annotation.device, 33), annotation.device,
                annotation.body, -annotation.micros)",
        params![
            &chat.0.as_bytes()[..],
            &sender[..],
            &id[..],
            kind.number(),
            &user_key(*user)[..],
            integer(lamport),
            device,
            body,
            micros,
            now_micros,
            dangling,
        ],
    )?;
    Ok(changed == 1)
}

fn is_known(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM message
                              WHERE sender = ?1 AND message = ?2 AND chat = ?3)";
    let key = params![
        &message.sender.to_bytes()[..],
        &message.id.0.as_bytes()[..],
        &chat.0.as_bytes()[..]
    ];
    Ok(connection.query_row(sql, key, |row| row.get(0))?)
}

/// Forgets the oldest of those that a user has said about messages that have not come, where they
/// are too many.
pub(crate) fn bound_dangling(
    connection: &Connection,
    chat: ChatId,
    user: UserAddress,
) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM annotation WHERE rowid IN (
             SELECT rowid FROM annotation WHERE dangling AND chat = ?1 AND user = ?2
             ORDER BY save_micros DESC, rowid DESC LIMIT -1 OFFSET ?3)",
        params![&chat.0.as_bytes()[..], &user_key(user)[..], DANGLING_MAX],
    )?;
    Ok(())
}

/// Returns when a message was annotated in this way, as [`Annotation::micros`]; `None` if never.
pub(crate) fn find(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
    kind: Kind,
) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT micros FROM annotation
               WHERE chat = ?1 AND sender = ?2 AND message = ?3 AND kind = ?4
               ORDER BY micros LIMIT 1";
    let key = params![
        &chat.0.as_bytes()[..],
        &message.sender.to_bytes()[..],
        &message.id.0.as_bytes()[..],
        kind.number()
    ];
    Ok(connection.query_row(sql, key, |row| row.get(0)).optional()?)
}

/// Notes that the message has come: what was said about it stays for as long as it does.
pub(crate) fn settle(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE annotation SET dangling = FALSE
         WHERE chat = ?1 AND sender = ?2 AND message = ?3 AND dangling",
        params![
            &chat.0.as_bytes()[..],
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..]
        ],
    )?;
    Ok(())
}

/// Wipes what was said about a message that is no longer shown: texts and reactions.
pub(crate) fn wipe(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM annotation WHERE chat = ?1 AND sender = ?2 AND message = ?3
                                  AND kind IN (?4, ?5)",
        params![
            &chat.0.as_bytes()[..],
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..],
            Kind::Edit.number(),
            Kind::Reaction.number(),
        ],
    )?;
    Ok(())
}

/// Forgets annotations whose message can no longer come.
pub(crate) fn forget_stale(connection: &Connection, now_micros: i64) -> Result<(), StoreError> {
    let oldest = now_micros.saturating_sub(integer(MAX_LATENCY_SECONDS * 1_000_000));
    connection.execute("DELETE FROM annotation WHERE dangling AND save_micros < ?1", [oldest])?;
    Ok(())
}
