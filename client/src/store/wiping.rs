//! Overwrites what a message said, wherever the store holds it: its text and its edits, reactions,
//! what a report would need, what would be sent once more.

use rusqlite::Connection;

use super::{StoreError, annotations, evidence, messages, outbox, sent_log};
use crate::content::{self, Body};
use crate::id::ChatId;
use crate::message::MessageRef;

/// Wipes a message. Answers whether it is kept here.
pub(crate) fn wipe(
    connection: &Connection,
    chat: ChatId,
    message: MessageRef,
) -> Result<bool, StoreError> {
    annotations::wipe(connection, chat, message)?;
    evidence::delete(connection, chat, message)?;
    sent_log::forget(connection, &message)?;
    messages::wipe(connection, chat, message)
}

/// Takes a message of this device, and edits of it, out of what waits to be sent.
pub(crate) fn unsend(connection: &Connection, message: MessageRef) -> Result<(), StoreError> {
    outbox::delete(connection, message.id)?;
    for waiting in outbox::list(connection)? {
        let body = content::read(&waiting.content).map(|opened| opened.body);
        if matches!(body, Some(Body::Edit { message: about, .. }) if about == message) {
            outbox::delete(connection, waiting.message)?;
        }
    }
    Ok(())
}
