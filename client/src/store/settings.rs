//! How the user has set up chats and the account: the same on every own device, where the setting
//! made last holds. Of two made at the same moment the greater value holds, so that all agree.

use plasma_identity::DeviceAddress;
use plasma_proto::content::v1 as pb;
use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, integer, read_device};
use crate::id::ChatId;
use crate::wire;

/// How a chat is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ChatSetup {
    pub(crate) mute_until_micros: Option<i64>,
    pub(crate) set_micros: i64,
}

impl ChatSetup {
    /// Writes it as own devices tell it to each other.
    pub(crate) fn to_content(self) -> pb::ChatSettings {
        pb::ChatSettings {
            mute_until: self.mute_until_micros.map(wire::timestamp),
            set_time: Some(wire::timestamp(self.set_micros)),
        }
    }
}

/// The disappearing timer of a chat, and the place in the chat at which it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerSet {
    pub(crate) seconds: u32,
    pub(crate) lamport: u64,
    pub(crate) device: DeviceAddress,
}

impl TimerSet {
    /// Writes it as an approver tells it to a new device.
    pub(crate) fn to_content(self) -> pb::KnownTimer {
        pb::KnownTimer {
            seconds: self.seconds,
            lamport: self.lamport,
            sender: self.device.to_bytes().to_vec().into(),
        }
    }
}

/// How the account is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AccountSetup {
    pub(crate) send_read_receipts: bool,
    pub(crate) set_micros: i64,
}

impl AccountSetup {
    /// Writes it as own devices tell it to each other.
    pub(crate) fn to_content(self) -> pb::AccountSettings {
        pb::AccountSettings {
            send_read_receipts: self.send_read_receipts,
            set_time: Some(wire::timestamp(self.set_micros)),
        }
    }
}

impl Default for AccountSetup {
    fn default() -> Self {
        Self { send_read_receipts: true, set_micros: 0 }
    }
}

pub(crate) fn chat(connection: &Connection, chat: ChatId) -> Result<ChatSetup, StoreError> {
    let sql = "SELECT mute_until_micros, settings_micros FROM chat WHERE chat = ?1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(ChatSetup { mute_until_micros: row.get(0)?, set_micros: row.get(1)? })
    };
    Ok(connection.query_row(sql, [&chat.0.as_bytes()[..]], read).optional()?.unwrap_or_default())
}

/// Keeps a setup unless a later one is known. Answers whether it holds now.
pub(crate) fn set_chat(
    connection: &Connection,
    chat: ChatId,
    setup: ChatSetup,
) -> Result<bool, StoreError> {
    let changed = connection.execute(
        "UPDATE chat SET mute_until_micros = ?2, settings_micros = ?3
         WHERE chat = ?1
           AND (?3, COALESCE(?2, -1)) > (settings_micros, COALESCE(mute_until_micros, -1))",
        params![&chat.0.as_bytes()[..], setup.mute_until_micros, setup.set_micros],
    )?;
    Ok(changed == 1)
}

pub(crate) fn account(connection: &Connection) -> Result<AccountSetup, StoreError> {
    let sql = "SELECT send_read_receipts, set_micros FROM account_settings";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(AccountSetup { send_read_receipts: row.get(0)?, set_micros: row.get(1)? })
    };
    Ok(connection.query_row(sql, [], read).optional()?.unwrap_or_default())
}

/// Keeps a setup unless a later one is known. Answers whether it holds now.
pub(crate) fn set_account(
    connection: &Connection,
    setup: AccountSetup,
) -> Result<bool, StoreError> {
    let changed = connection.execute(
        "INSERT INTO account_settings (only, send_read_receipts, set_micros) VALUES (1, ?1, ?2)
         ON CONFLICT (only) DO UPDATE SET send_read_receipts = excluded.send_read_receipts,
             set_micros = excluded.set_micros
         WHERE (excluded.set_micros, excluded.send_read_receipts)
             > (account_settings.set_micros, account_settings.send_read_receipts)",
        params![setup.send_read_receipts, setup.set_micros],
    )?;
    Ok(changed == 1)
}

/// Returns the disappearing timer of a chat, in seconds; 0 where there is none.
pub(crate) fn timer(connection: &Connection, chat: ChatId) -> Result<u32, StoreError> {
    let sql = "SELECT timer_seconds FROM chat WHERE chat = ?1";
    let seconds: Option<u32> =
        connection.query_row(sql, [&chat.0.as_bytes()[..]], |row| row.get(0)).optional()?;
    Ok(seconds.unwrap_or(0))
}

/// Returns how the timer of a chat was set last; `None` where it never was.
pub(crate) fn timer_set(
    connection: &Connection,
    chat: ChatId,
) -> Result<Option<TimerSet>, StoreError> {
    let sql = "SELECT timer_seconds, timer_lamport, timer_device FROM chat
               WHERE chat = ?1 AND timer_lamport > 0";
    let row = connection
        .query_row(sql, [&chat.0.as_bytes()[..]], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        })
        .optional()?;
    let Some((seconds, lamport, device)) = row else { return Ok(None) };
    let lamport = u64::try_from(lamport).map_err(|_| StoreError::Value("lamport"))?;
    Ok(Some(TimerSet { seconds, lamport, device: read_device(&device)? }))
}

/// Keeps a timer unless one of a later place is known. Answers whether it holds now.
pub(crate) fn set_timer(
    connection: &Connection,
    chat: ChatId,
    TimerSet { seconds, lamport, device }: TimerSet,
) -> Result<bool, StoreError> {
    let changed = connection.execute(
        "UPDATE chat SET timer_seconds = ?2, timer_lamport = ?3, timer_device = ?4
         WHERE chat = ?1
           AND (?3, substr(?4, 33), ?4, ?2)
             > (timer_lamport, substr(timer_device, 33), timer_device, timer_seconds)",
        params![&chat.0.as_bytes()[..], seconds, integer(lamport), &device.to_bytes()[..]],
    )?;
    Ok(changed == 1)
}
