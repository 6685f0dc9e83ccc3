//! Users whom the approver of this device knew, until this device has seen their account itself.

use plasma_identity::{Fingerprint, UserAddress};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{StoreError, read_user, user_key};

/// A user as the approver knew it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ToldContact {
    pub(crate) user: UserAddress,
    pub(crate) fingerprint: Fingerprint,
    /// Whether the fingerprint came from the owner's own link or was compared.
    pub(crate) verified: bool,
    /// The fingerprint before a change that nobody has accepted yet.
    pub(crate) changed_from: Option<Fingerprint>,
}

pub(crate) fn insert(connection: &Connection, contact: ToldContact) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO contact (user, fingerprint, verified, changed_from)
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![
            &user_key(contact.user)[..],
            contact.fingerprint.to_bytes(),
            contact.verified,
            contact.changed_from.map(Fingerprint::to_bytes),
        ],
    )?;
    Ok(())
}

pub(crate) fn load(
    connection: &Connection,
    user: UserAddress,
) -> Result<Option<ToldContact>, StoreError> {
    let sql = "SELECT user, fingerprint, verified, changed_from FROM contact WHERE user = ?1";
    let row = connection.query_row(sql, [&user_key(user)[..]], raw).optional()?;
    row.map(read).transpose()
}

/// Lists those whose account has not been seen here.
pub(crate) fn list(connection: &Connection) -> Result<Vec<ToldContact>, StoreError> {
    let sql = "SELECT user, fingerprint, verified, changed_from FROM contact ORDER BY user";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], raw)?.collect::<Result<Vec<_>, _>>()?;
    rows.into_iter().map(read).collect()
}

/// Forgets what was told: this device knows by itself now.
pub(crate) fn delete(connection: &Connection, user: UserAddress) -> Result<(), StoreError> {
    connection.execute("DELETE FROM contact WHERE user = ?1", [&user_key(user)[..]])?;
    Ok(())
}

type Raw = (Vec<u8>, Vec<u8>, bool, Option<Vec<u8>>);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn read((user, fingerprint, verified, changed_from): Raw) -> Result<ToldContact, StoreError> {
    let read = |bytes: Vec<u8>| {
        let bytes = bytes.try_into().map_err(|_| StoreError::Value("fingerprint"))?;
        Ok::<_, StoreError>(Fingerprint::from_bytes(bytes))
    };
    Ok(ToldContact {
        user: read_user(&user)?,
        fingerprint: read(fingerprint)?,
        verified,
        changed_from: changed_from.map(read).transpose()?,
    })
}
