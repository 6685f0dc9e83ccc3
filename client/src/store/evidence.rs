//! What a report about an incoming message needs: the envelope as the service delivered it, and
//! what opens it for others. Gone with the message, and after thirty days.

use plasma_e2ee::Disclosure;
use plasma_proto::messaging::v1::{DisclosedMessage, Envelope};
use prost::Message as _;
use rusqlite::{Connection, params};

use super::StoreError;
use crate::id::ChatId;
use crate::message::MessageRef;

/// For how long a message can be reported.
const KEPT_MICROS: i64 = 30 * 86_400 * 1_000_000;

/// Keeps what proves a message, or the edit of one that holds now.
pub(crate) fn keep(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
    is_edit: bool,
    (envelope, disclosure): (&Envelope, &Disclosure),
    save_micros: i64,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO evidence (sender, message, is_edit, chat, envelope, disclosure, save_micros)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (chat, sender, message, is_edit) DO UPDATE SET
             envelope = excluded.envelope, disclosure = excluded.disclosure,
             save_micros = excluded.save_micros",
        params![
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..],
            is_edit,
            &chat.0.as_bytes()[..],
            envelope.encode_to_vec(),
            disclosure.to_bytes().as_slice(),
            save_micros,
        ],
    )?;
    Ok(())
}

/// Lists what proves a message: its first text, and the edit that holds.
pub(crate) fn list(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
) -> Result<Vec<DisclosedMessage>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT envelope, disclosure FROM evidence
         WHERE chat = ?1 AND sender = ?2 AND message = ?3 ORDER BY is_edit",
    )?;
    let mut rows = statement.query(params![
        &chat.0.as_bytes()[..],
        &message.sender.to_bytes()[..],
        &message.id.0.as_bytes()[..]
    ])?;
    let mut proofs = Vec::new();
    while let Some(row) = rows.next()? {
        let (envelope, disclosure): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let envelope = Envelope::decode(envelope.as_slice());
        proofs.push(DisclosedMessage {
            envelope: Some(envelope.map_err(|_| StoreError::Value("envelope"))?),
            disclosure: disclosure.into(),
        });
    }
    Ok(proofs)
}

/// Forgets what proves a message.
pub(crate) fn delete(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM evidence WHERE chat = ?1 AND sender = ?2 AND message = ?3",
        params![
            &chat.0.as_bytes()[..],
            &message.sender.to_bytes()[..],
            &message.id.0.as_bytes()[..]
        ],
    )?;
    Ok(())
}

/// Forgets what is too old to be reported.
pub(crate) fn forget_old(connection: &Connection, now_micros: i64) -> Result<(), StoreError> {
    let oldest = now_micros.saturating_sub(KEPT_MICROS);
    connection.execute("DELETE FROM evidence WHERE save_micros < ?1", [oldest])?;
    Ok(())
}
