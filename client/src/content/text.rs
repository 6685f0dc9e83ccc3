//! A text becomes a message of the history, with what was said about it before it came.

use rusqlite::Transaction;

use super::{Context, Opened, Text};
use crate::event::Event;
use crate::message::{Direction, Message, MessageState};
use crate::store::annotations::{self, Kind};
use crate::store::chats::KnownChat;
use crate::store::{StoreError, evidence, history, messages, receipts};

pub(super) fn apply(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    chat: KnownChat,
    opened: &Opened,
    text: &Text,
) -> Result<Vec<Event>, StoreError> {
    let message = message(context, chat, opened, text);
    let about = message.reference();
    let deleted = annotations::find(tx, chat.id, about, Kind::Deletion)?.is_some();
    let kept =
        if deleted { Message { text: String::new(), reply_to: None, ..message } } else { message };
    let count_from = match kept.direction {
        Direction::Outgoing => Some(context.moment(opened.write_micros)),
        Direction::Incoming => annotations::find(tx, chat.id, about, Kind::Read)?,
    };
    if !messages::insert(tx, &kept, count_from, context.now_micros)? {
        return Ok(Vec::new());
    }
    annotations::settle(tx, chat.id, about)?;
    if kept.direction == Direction::Incoming {
        receipts::insert(tx, chat.id, about)?;
        if let (false, Some(proof)) = (deleted, context.proof) {
            evidence::keep(tx, chat.id, about, false, proof, context.now_micros)?;
        }
    }
    Ok(history::find(tx, chat.id, about)?.map(Event::Message).into_iter().collect())
}

fn message(context: &Context<'_>, chat: KnownChat, opened: &Opened, text: &Text) -> Message {
    let outgoing = context.is_from_own_user();
    Message {
        chat: chat.id,
        id: opened.id,
        sender: context.sender,
        lamport: opened.lamport,
        text: text.body.clone(),
        write_micros: opened.write_micros,
        direction: if outgoing { Direction::Outgoing } else { Direction::Incoming },
        state: match (context.is_written_here, outgoing) {
            (true, _) => MessageState::Pending,
            // It came here through the service.
            (false, true) => MessageState::Sent,
            (false, false) => MessageState::Received,
        },
        from_removed_device: context.sender_removed,
        reply_to: text.reply_to,
        edited: false,
        deleted: false,
        read: false,
        reactions: Vec::new(),
        disappear_after_seconds: text.disappear_after_seconds,
        disappear_micros: None,
    }
}
