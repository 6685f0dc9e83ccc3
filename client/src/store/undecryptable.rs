//! Envelopes that are not shown, with the reason that an app explains.

use rusqlite::{Connection, params};

use super::StoreError;
use crate::message::Undecryptable;

pub(crate) fn insert(
    connection: &Connection,
    undecryptable: &Undecryptable,
    save_micros: i64,
) -> Result<(), StoreError> {
    let sender = undecryptable.claimed_sender.map(plasma_identity::DeviceAddress::to_bytes);
    connection.execute(
        "INSERT INTO undecryptable (envelope, claimed_sender, reason, save_micros)
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![
            undecryptable.envelope_id,
            sender.as_ref().map(|bytes| &bytes[..]),
            undecryptable.reason.code(),
            save_micros
        ],
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
