//! Edits: another text, from the user who wrote the message, on whichever device. The one in the
//! last place of the chat holds; after a deletion none does.

use rusqlite::Transaction;

use super::context::is_gone;
use super::{Context, Opened};
use crate::event::Event;
use crate::message::MessageRef;
use crate::store::annotations::{self, Annotation, Kind};
use crate::store::chats::KnownChat;
use crate::store::{StoreError, evidence, history};

pub(super) fn apply(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    chat: KnownChat,
    opened: &Opened,
    message: MessageRef,
    text: &str,
) -> Result<Vec<Event>, StoreError> {
    if !context.is_by_author(message) || is_gone(tx, chat, message)? {
        return Ok(Vec::new());
    }
    let edit = Annotation {
        chat: chat.id,
        message,
        kind: Kind::Edit,
        user: context.sender.user_address(),
        place: Some((opened.lamport, context.sender)),
        body: text.to_owned(),
        micros: 0,
    };
    if !annotations::keep(tx, &edit, context.now_micros)? {
        return Ok(Vec::new());
    }
    if let (false, Some(proof)) = (context.is_from_own_user(), context.proof) {
        evidence::keep(tx, chat.id, message, true, proof, context.now_micros)?;
    }
    if history::find(tx, chat.id, message)?.is_none() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::Edited { chat: chat.id, message, text: text.to_owned() }])
}
