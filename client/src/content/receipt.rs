//! Receipts: the peer's say how far this user's messages have come, this user's own say what was
//! read on another device.

use rusqlite::Transaction;

use super::{Context, Opened, ReceiptKind};
use crate::event::Event;
use crate::message::MessageRef;
use crate::store::annotations::{self, Annotation, Kind};
use crate::store::chats::KnownChat;
use crate::store::{StoreError, history, messages, receipts};

pub(super) fn apply(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    chat: KnownChat,
    opened: &Opened,
    kind: ReceiptKind,
    named: &[MessageRef],
) -> Result<Vec<Event>, StoreError> {
    match (context.is_from_own_user(), kind) {
        (false, _) => come_further(tx, context, chat, kind, named),
        (true, ReceiptKind::Read) => read_here(tx, context, chat, opened, named),
        // Another device of this user has told the peer already.
        (true, ReceiptKind::Delivered) => {
            named.iter().try_for_each(|message| receipts::delete(tx, *message))?;
            Ok(Vec::new())
        }
    }
}

/// The peer speaks about messages of this user, and about no others.
fn come_further(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    chat: KnownChat,
    kind: ReceiptKind,
    named: &[MessageRef],
) -> Result<Vec<Event>, StoreError> {
    let kind = match kind {
        ReceiptKind::Delivered => Kind::Delivered,
        ReceiptKind::Read => Kind::ReadByPeer,
    };
    let mut events = Vec::new();
    for message in named.iter().filter(|message| context.is_own(message.sender)) {
        let before = history::find(tx, chat.id, *message)?;
        annotations::keep(tx, &annotation(context, chat, *message, kind, 0), context.now_micros)?;
        let after = history::find(tx, chat.id, *message)?;
        if let (Some(before), Some(after)) = (before, after)
            && before.state != after.state
        {
            let (chat, message, state) = (chat.id, *message, after.state);
            events.push(Event::StateChanged { chat, message, state });
        }
    }
    Ok(events)
}

/// This user has read messages of the peer. A mark that comes before its message waits for it.
fn read_here(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    chat: KnownChat,
    opened: &Opened,
    named: &[MessageRef],
) -> Result<Vec<Event>, StoreError> {
    let read_micros = context.moment(opened.write_micros);
    let mut read = Vec::new();
    for message in named.iter().filter(|message| message.sender.user_address() == chat.peer) {
        let before = history::find(tx, chat.id, *message)?;
        let mark = annotation(context, chat, *message, Kind::Read, read_micros);
        annotations::keep(tx, &mark, context.now_micros)?;
        messages::count_from(tx, chat.id, *message, read_micros)?;
        if before.is_some_and(|before| !before.read) {
            read.push(*message);
        }
    }
    if read.is_empty() || context.is_written_here {
        return Ok(Vec::new());
    }
    let unread = messages::unread(tx, chat.id)?;
    Ok(vec![Event::ReadElsewhere { chat: chat.id, messages: read, unread }])
}

fn annotation(
    context: &Context<'_>,
    chat: KnownChat,
    message: MessageRef,
    kind: Kind,
    micros: i64,
) -> Annotation {
    Annotation {
        chat: chat.id,
        message,
        kind,
        user: context.sender.user_address(),
        place: None,
        body: String::new(),
        micros,
    }
}
