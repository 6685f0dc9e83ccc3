//! Session records, one for each other device, and the markers of initiations already taken.

use plasma_e2ee::{ReplayMarker, SessionRecord};
use plasma_identity::{DeviceAddress, VerifiedAccount};
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use super::{StoreError, integer, read_device, user_key};

/// Loads the record of a pair of devices; an empty one where there is none.
pub(crate) fn load(
    connection: &Connection,
    local: DeviceAddress,
    remote: DeviceAddress,
) -> Result<SessionRecord, StoreError> {
    let bytes: Option<Vec<u8>> = connection
        .query_row(
            "SELECT record FROM session WHERE device = ?1",
            [&remote.to_bytes()[..]],
            |row| row.get(0),
        )
        .optional()?;
    match bytes.map(Zeroizing::new) {
        Some(bytes) => Ok(SessionRecord::from_bytes(&bytes)?),
        None => Ok(SessionRecord::new(local, remote)),
    }
}

pub(crate) fn save(connection: &Connection, record: &SessionRecord) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO session (device, record) VALUES (?1, ?2)
         ON CONFLICT (device) DO UPDATE SET record = excluded.record",
        params![&record.remote().to_bytes()[..], record.to_bytes().as_slice()],
    )?;
    Ok(())
}

/// Archives every active session, so that the next message to each device starts a new one.
pub(crate) fn archive_all(connection: &Connection) -> Result<(), StoreError> {
    let mut statement = connection.prepare("SELECT record FROM session")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    let records = rows.collect::<Result<Vec<_>, _>>()?;
    for bytes in records.into_iter().map(Zeroizing::new) {
        let mut record = SessionRecord::from_bytes(&bytes)?;
        record.archive_active();
        save(connection, &record)?;
    }
    Ok(())
}

/// Marks the sessions with devices that an account no longer lists, so that they end in time, and
/// unmarks those with devices that it lists again.
pub(crate) fn mark_stale(
    connection: &Connection,
    account: &VerifiedAccount,
    now: u64,
) -> Result<(), StoreError> {
    let key = user_key(account.user_address());
    let mut known = connection
        .prepare("SELECT device, stale_seconds FROM session WHERE substr(device, 1, 32) = ?1")?;
    let rows = known.query_map([&key[..]], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Option<i64>>(1)?))
    })?;
    let rows = rows.collect::<Result<Vec<_>, _>>()?;
    let mut mark = connection.prepare("UPDATE session SET stale_seconds = ?2 WHERE device = ?1")?;
    for (device, stale) in rows {
        let listed = account.device(read_device(&device)?.device).is_some();
        if listed == stale.is_some() {
            mark.execute(params![device, (!listed).then(|| integer(now))])?;
        }
    }
    Ok(())
}

/// Deletes the sessions with devices that were removed from their account before a moment.
pub(crate) fn delete_stale_before(
    connection: &Connection,
    seconds: u64,
) -> Result<usize, StoreError> {
    let sql = "DELETE FROM session WHERE stale_seconds < ?1";
    Ok(connection.execute(sql, [integer(seconds)])?)
}

pub(crate) fn has_marker(
    connection: &Connection,
    marker: &ReplayMarker,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM replay_marker WHERE marker = ?1)";
    Ok(connection.query_row(sql, [&marker.to_bytes()[..]], |row| row.get(0))?)
}

/// Remembers an initiation until the keys that it used are gone, and forgets those whose are.
pub(crate) fn insert_marker(
    connection: &Connection,
    marker: &ReplayMarker,
    expire_seconds: u64,
    now: u64,
) -> Result<(), StoreError> {
    connection.execute("DELETE FROM replay_marker WHERE expire_seconds <= ?1", [integer(now)])?;
    connection.execute(
        "INSERT INTO replay_marker (marker, expire_seconds) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![&marker.to_bytes()[..], integer(expire_seconds)],
    )?;
    Ok(())
}
