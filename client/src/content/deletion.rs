//! Deletions: final, from the user who wrote the message, on whichever device. Nothing of what the
//! message said stays in the store, and a text that comes after its deletion is never kept.

use rusqlite::Transaction;

use super::Context;
use crate::event::Event;
use crate::message::MessageRef;
use crate::store::annotations::{self, Annotation, Kind};
use crate::store::chats::KnownChat;
use crate::store::{StoreError, wiping};

pub(super) fn apply(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    chat: KnownChat,
    message: MessageRef,
) -> Result<Vec<Event>, StoreError> {
    if !context.is_by_author(message) {
        return Ok(Vec::new());
    }
    let deletion = Annotation {
        chat: chat.id,
        message,
        kind: Kind::Deletion,
        user: context.sender.user_address(),
        place: None,
        body: String::new(),
        micros: 0,
    };
    let new = annotations::keep(tx, &deletion, context.now_micros)?;
    let shown = wiping::wipe(tx, chat.id, message)?;
    if context.is_own(message.sender) {
        wiping::unsend(tx, message)?;
    }
    Ok(if new && shown { vec![Event::Deleted { chat: chat.id, message }] } else { Vec::new() })
}
