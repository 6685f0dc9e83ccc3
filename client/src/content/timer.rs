//! The disappearing timer of a chat: the one in the last place holds, whoever of the two set it.

use rusqlite::Transaction;

use super::{Context, Opened};
use crate::event::Event;
use crate::store::StoreError;
use crate::store::chats::KnownChat;
use crate::store::settings::{self, TimerSet};

pub(super) fn apply(
    tx: &Transaction<'_>,
    context: &Context<'_>,
    chat: KnownChat,
    opened: &Opened,
    seconds: u32,
) -> Result<Vec<Event>, StoreError> {
    let timer = TimerSet { seconds, lamport: opened.lamport, device: context.sender };
    if !settings::set_timer(tx, chat.id, timer)? {
        return Ok(Vec::new());
    }
    let user = context.sender.user_address();
    Ok(vec![Event::DisappearingTimer { chat: chat.id, user, seconds }])
}
