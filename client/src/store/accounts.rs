//! Accounts that this device has verified, and how far the person has confirmed them.

use plasma_identity::{Fingerprint, UserAddress, VerifiedAccount};
use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, read_user, user_key};

/// An account as this device remembers it.
#[derive(Debug, Clone)]
pub(crate) struct KnownAccount {
    pub(crate) account: VerifiedAccount,
    /// The fingerprint that came from the owner's own link, or that the person compared.
    pub(crate) verified: Option<Fingerprint>,
    /// The fingerprint before a change that the person has not accepted yet.
    pub(crate) changed_from: Option<Fingerprint>,
}

pub(crate) fn load(
    connection: &Connection,
    user: UserAddress,
) -> Result<Option<KnownAccount>, StoreError> {
    let row = connection
        .query_row(
            "SELECT state, verified_fingerprint, changed_from FROM account WHERE user = ?1",
            [&user_key(user)[..]],
            |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let Some((state, verified, changed_from)) = row else { return Ok(None) };
    Ok(Some(KnownAccount {
        account: VerifiedAccount::from_bytes(&state)?,
        verified: read_fingerprint(verified)?,
        changed_from: read_fingerprint(changed_from)?,
    }))
}

/// Lists the users whose accounts were verified here.
pub(crate) fn users(connection: &Connection) -> Result<Vec<UserAddress>, StoreError> {
    let mut statement = connection.prepare("SELECT user FROM account ORDER BY user")?;
    let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|key| read_user(&key?)).collect()
}

pub(crate) fn save(connection: &Connection, known: &KnownAccount) -> Result<(), StoreError> {
    let bytes = |fingerprint: Option<Fingerprint>| fingerprint.map(Fingerprint::to_bytes);
    connection.execute(
        "INSERT INTO account (user, state, verified_fingerprint, changed_from)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (user) DO UPDATE SET state = excluded.state,
             verified_fingerprint = excluded.verified_fingerprint,
             changed_from = excluded.changed_from",
        params![
            &user_key(known.account.user_address())[..],
            known.account.to_bytes(),
            bytes(known.verified),
            bytes(known.changed_from),
        ],
    )?;
    Ok(())
}

fn read_fingerprint(bytes: Option<Vec<u8>>) -> Result<Option<Fingerprint>, StoreError> {
    bytes
        .map(|bytes| bytes.try_into().map(Fingerprint::from_bytes))
        .transpose()
        .map_err(|_| StoreError::Value("fingerprint"))
}
