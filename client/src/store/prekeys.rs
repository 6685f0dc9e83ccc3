//! Private halves of prekeys, kept before they are published and until nobody can use them.

use plasma_e2ee::PrivatePrekey;
use plasma_identity::PrekeyRole;
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use super::{StoreError, integer};

/// Takes `count` ids of a role that were never used before and returns the first.
pub(crate) fn reserve_ids(
    connection: &Connection,
    role: PrekeyRole,
    count: u32,
) -> Result<u32, StoreError> {
    let next: u32 = connection.query_row(
        "INSERT INTO prekey_counter (role, next_id) VALUES (?1, 1 + ?2)
         ON CONFLICT (role) DO UPDATE SET next_id = next_id + ?2 RETURNING next_id",
        params![role.number(), count],
        |row| row.get(0),
    )?;
    Ok(next - count)
}

/// Leaves `count` ids of every role unused: a backup does not know which were used after it. What
/// is made from now on replaces what was made before.
pub(crate) fn renew(connection: &Connection, count: u32) -> Result<(), StoreError> {
    connection.execute("UPDATE prekey SET published = TRUE", [])?;
    connection.execute(
        "UPDATE prekey_counter SET next_id = next_id + ?1, renew_from = next_id + ?1",
        [count],
    )?;
    Ok(())
}

/// Returns the first id of a role that counts as new while prekeys are being replaced.
pub(crate) fn renewed_from(
    connection: &Connection,
    role: PrekeyRole,
) -> Result<Option<u32>, StoreError> {
    let sql = "SELECT renew_from FROM prekey_counter WHERE role = ?1";
    let first: Option<Option<u32>> =
        connection.query_row(sql, [role.number()], |row| row.get(0)).optional()?;
    Ok(first.flatten())
}

/// Notes that the service hands out new prekeys only.
pub(crate) fn mark_renewed(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE prekey_counter SET renew_from = NULL", [])?;
    Ok(())
}

/// Tells whether prekeys of a role are being replaced and no new one was made yet.
pub(crate) fn must_renew(connection: &Connection, role: PrekeyRole) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM prekey_counter
                              WHERE role = ?1 AND renew_from = next_id)";
    Ok(connection.query_row(sql, [role.number()], |row| row.get(0))?)
}

pub(crate) fn insert(
    connection: &Connection,
    prekey: &PrivatePrekey,
    now: u64,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO prekey (role, id, private, create_seconds, published)
         VALUES (?1, ?2, ?3, ?4, FALSE)",
        params![prekey.role().number(), prekey.id(), prekey.to_bytes().as_slice(), integer(now)],
    )?;
    Ok(())
}

pub(crate) fn load(
    connection: &Connection,
    role: PrekeyRole,
    id: u32,
) -> Result<Option<PrivatePrekey>, StoreError> {
    let sql = "SELECT private FROM prekey WHERE role = ?1 AND id = ?2";
    let bytes: Option<Vec<u8>> =
        connection.query_row(sql, params![role.number(), id], |row| row.get(0)).optional()?;
    Ok(bytes.map(Zeroizing::new).map(|bytes| PrivatePrekey::from_bytes(&bytes)).transpose()?)
}

/// Lists the prekeys of a role that the service has not confirmed, in the order of their ids.
pub(crate) fn unpublished(
    connection: &Connection,
    role: PrekeyRole,
) -> Result<Vec<PrivatePrekey>, StoreError> {
    let sql = "SELECT private FROM prekey WHERE role = ?1 AND NOT published ORDER BY id";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([role.number()], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|bytes| Ok(PrivatePrekey::from_bytes(&Zeroizing::new(bytes?))?)).collect()
}

pub(crate) fn mark_published(
    connection: &Connection,
    prekeys: &[PrivatePrekey],
) -> Result<(), StoreError> {
    let sql = "UPDATE prekey SET published = TRUE WHERE role = ?1 AND id = ?2";
    let mut statement = connection.prepare(sql)?;
    for prekey in prekeys {
        statement.execute(params![prekey.role().number(), prekey.id()])?;
    }
    Ok(())
}

/// Returns when the newest prekey of a role was made, in unix seconds.
pub(crate) fn newest(connection: &Connection, role: PrekeyRole) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT MAX(create_seconds) FROM prekey WHERE role = ?1";
    let seconds: Option<i64> = connection.query_row(sql, [role.number()], |row| row.get(0))?;
    Ok(seconds.and_then(|seconds| u64::try_from(seconds).ok()))
}

/// Notes that a newer key has replaced the published ones of a role.
pub(crate) fn mark_replaced(
    connection: &Connection,
    role: PrekeyRole,
    newest: u32,
    now: u64,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE prekey SET replace_seconds = ?3
         WHERE role = ?1 AND id <> ?2 AND replace_seconds IS NULL",
        params![role.number(), newest, integer(now)],
    )?;
    Ok(())
}

/// Deletes private halves that were replaced before a moment.
pub(crate) fn delete_replaced_before(
    connection: &Connection,
    seconds: u64,
) -> Result<(), StoreError> {
    connection.execute("DELETE FROM prekey WHERE replace_seconds < ?1", [integer(seconds)])?;
    Ok(())
}

/// Deletes a one-time key that has been used.
pub(crate) fn delete(connection: &Connection, role: PrekeyRole, id: u32) -> Result<(), StoreError> {
    connection
        .execute("DELETE FROM prekey WHERE role = ?1 AND id = ?2", params![role.number(), id])?;
    Ok(())
}
