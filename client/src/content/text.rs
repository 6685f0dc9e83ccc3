//! A text becomes a message of the history.

use rusqlite::Transaction;

use super::{Body, Context, Opened};
use crate::message::{Direction, Event, Message, MessageState};
use crate::store::{StoreError, chats, messages};

pub(super) fn apply(
    tx: &Transaction<'_>,
    context: &Context,
    opened: &Opened,
) -> Result<Vec<Event>, StoreError> {
    let (Some(chat), Body::Text { text, .. }) = (opened.chat, &opened.body) else {
        return Ok(Vec::new());
    };
    chats::observe_lamport(tx, chat, opened.lamport)?;
    let outgoing = context.is_from_own_user();
    let message = Message {
        chat,
        id: opened.id,
        sender: context.sender,
        lamport: opened.lamport,
        text: text.clone(),
        write_micros: opened.write_micros,
        direction: if outgoing { Direction::Outgoing } else { Direction::Incoming },
        state: if context.is_from_this_device() {
            MessageState::Pending
        } else {
            MessageState::Received
        },
        from_removed_device: context.sender_removed,
    };
    let new = messages::insert(tx, &message, context.now_micros)?;
    Ok(if new { vec![Event::Message(message)] } else { Vec::new() })
}
