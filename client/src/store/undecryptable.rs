//! Envelopes that are not shown, with the reason that an app explains and what became of them.

use plasma_identity::{DeviceAddress, MAX_LATENCY_SECONDS};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{StoreError, integer, read_device, read_uuid};
use crate::id::MessageId;
use crate::not_shown::{NotShown, Repair, Undecryptable};
use crate::reason::UndecryptableReason;

pub(crate) fn insert(
    connection: &Connection,
    undecryptable: &Undecryptable,
    hash: &[u8; 32],
    is_message: bool,
    save_micros: i64,
) -> Result<(), StoreError> {
    let sender = undecryptable.claimed_sender.map(DeviceAddress::to_bytes);
    connection.execute(
        "INSERT INTO undecryptable
             (envelope, claimed_sender, reason, save_micros, message, hash, repair, is_message)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        params![
            undecryptable.envelope_id,
            sender.as_ref().map(|bytes| &bytes[..]),
            undecryptable.reason.code(),
            save_micros,
            undecryptable.claimed_message.map(|message| message.0.into_bytes()),
            &hash[..],
            number(undecryptable.repair),
            is_message,
        ],
    )?;
    Ok(())
}

/// Tells whether a device was asked for a message once more that came as one, and it has not come
/// since.
pub(crate) fn is_asked_for(
    connection: &Connection,
    sender: DeviceAddress,
    message: Uuid,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM undecryptable WHERE claimed_sender = ?1
               AND message = ?2 AND repair = ?3 AND is_message)";
    let key = params![&sender.to_bytes()[..], &message.as_bytes()[..], number(Repair::Requested)];
    Ok(connection.query_row(sql, key, |row| row.get(0))?)
}

/// Notes that a message is here after all; returns the envelopes that it could not be read from.
pub(crate) fn resolve(
    connection: &Connection,
    sender: DeviceAddress,
    message: Uuid,
) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "UPDATE undecryptable SET repair = ?3
         WHERE claimed_sender = ?1 AND message = ?2 AND repair <> ?3 RETURNING envelope",
    )?;
    let key = params![&sender.to_bytes()[..], &message.as_bytes()[..], number(Repair::Resolved)];
    let rows = statement.query_map(key, |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Notes that an envelope that was asked for will not come again.
pub(crate) fn give_up(connection: &Connection, hash: &[u8; 32]) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE undecryptable SET repair = ?2 WHERE hash = ?1 AND repair = ?3",
        params![&hash[..], number(Repair::GivenUp), number(Repair::Requested)],
    )?;
    Ok(())
}

/// Lists the reasons recorded, oldest first.
pub(crate) fn reasons(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement =
        connection.prepare("SELECT reason FROM undecryptable ORDER BY save_micros, envelope")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Lists what is not shown, oldest first.
pub(crate) fn list(connection: &Connection, now_micros: i64) -> Result<Vec<NotShown>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT envelope, claimed_sender, message, reason, repair, save_micros
         FROM undecryptable ORDER BY save_micros, envelope",
    )?;
    let mut rows = statement.query([])?;
    let mut listed = Vec::new();
    while let Some(row) = rows.next()? {
        listed.push(read(row, now_micros)?);
    }
    Ok(listed)
}

fn read(row: &Row<'_>, now_micros: i64) -> Result<NotShown, StoreError> {
    let (sender, message): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.get(1)?, row.get(2)?);
    let (code, save_micros): (String, i64) = (row.get(3)?, row.get(5)?);
    let over = save_micros.saturating_add(integer(MAX_LATENCY_SECONDS * 1_000_000)) < now_micros;
    let repair = match read_repair(row.get(4)?)? {
        // Nobody can send it again any more.
        Repair::Requested if over => Repair::GivenUp,
        repair => repair,
    };
    Ok(NotShown {
        envelope_id: row.get(0)?,
        claimed_sender: sender.map(|sender| read_device(&sender)).transpose()?,
        claimed_message: message.map(|id| read_uuid(&id).map(MessageId)).transpose()?,
        explanation: UndecryptableReason::explain_code(&code).ok_or(StoreError::Value("reason"))?,
        code,
        repair,
    })
}

fn number(repair: Repair) -> i64 {
    match repair {
        Repair::NotPossible => 0,
        Repair::Requested => 1,
        Repair::Resolved => 2,
        Repair::GivenUp => 3,
    }
}

fn read_repair(number: i64) -> Result<Repair, StoreError> {
    match number {
        0 => Ok(Repair::NotPossible),
        1 => Ok(Repair::Requested),
        2 => Ok(Repair::Resolved),
        3 => Ok(Repair::GivenUp),
        _ => Err(StoreError::Value("repair")),
    }
}
