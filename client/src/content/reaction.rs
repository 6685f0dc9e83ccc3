//! Reactions: one of each user for a message; the one in the last place of the chat holds, from
//! whichever of the user's devices.

use rusqlite::Transaction;

use super::context::is_gone;
use super::{Context, Opened};
use crate::event::Event;
use crate::message::MessageRef;
use crate::store::annotations::{self, Annotation, Kind};
use crate::store::chats::KnownChat;
use crate::store::{StoreError, history};

pub(super) fn apply(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    chat: KnownChat,
    opened: &Opened,
    message: MessageRef,
    emoji: &str,
) -> Result<Vec<Event>, StoreError> {
    if !context.is_in(chat, message.sender) || is_gone(tx, chat, message)? {
        return Ok(Vec::new());
    }
    let user = context.sender.user_address();
    let reaction = Annotation {
        chat: chat.id,
        message,
        kind: Kind::Reaction,
        user,
        place: Some((opened.lamport, context.sender)),
        body: emoji.to_owned(),
        micros: 0,
    };
    let holds = annotations::keep(tx, &reaction, context.now_micros)?;
    if !holds || history::find(tx, chat.id, message)?.is_none() {
        return Ok(Vec::new());
    }
    let emoji = Some(emoji.to_owned()).filter(|emoji| !emoji.is_empty());
    Ok(vec![Event::Reacted { chat: chat.id, message, user, emoji }])
}
