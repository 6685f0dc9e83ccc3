//! How the user has set up chats and the account, and what own devices are called, told by another
//! own device.

use rusqlite::Transaction;

use crate::event::Event;
use crate::store::StoreError;
use crate::store::chats::KnownChat;
use crate::store::device_names::{self, NamedDevice};
use crate::store::settings::{self, AccountSetup, ChatSetup};

pub(super) fn apply_chat(
    tx: &Transaction<'_>,
    chat: KnownChat,
    setup: ChatSetup,
) -> Result<Vec<Event>, StoreError> {
    let before = settings::chat(tx, chat.id)?.mute_until_micros;
    let holds = settings::set_chat(tx, chat.id, setup)?;
    if !holds || before == setup.mute_until_micros {
        return Ok(Vec::new());
    }
    Ok(vec![Event::Muted { chat: chat.id, until_micros: setup.mute_until_micros }])
}

pub(super) fn apply_account(
    tx: &Transaction<'_>,
    setup: AccountSetup,
) -> Result<Vec<Event>, StoreError> {
    let before = settings::account(tx)?.send_read_receipts;
    let holds = settings::set_account(tx, setup)?;
    if !holds || before == setup.send_read_receipts {
        return Ok(Vec::new());
    }
    Ok(vec![Event::ReadReceipts { on: setup.send_read_receipts }])
}

/// The list of devices shows names when it is next asked for; nobody waits for one.
pub(super) fn apply_name(
    tx: &Transaction<'_>,
    named: &NamedDevice,
) -> Result<Vec<Event>, StoreError> {
    device_names::set(tx, named)?;
    Ok(Vec::new())
}
