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

/// Keeps what is known of an identity that another one takes the place of.
pub(crate) fn keep_former(
    connection: &Connection,
    account: &VerifiedAccount,
) -> Result<(), StoreError> {
    connection.execute(
        "INSERT INTO former_account (user, fingerprint, state) VALUES (?1, ?2, ?3)
         ON CONFLICT (user, fingerprint) DO UPDATE SET state = excluded.state",
        params![
            &user_key(account.user_address())[..],
            &account.fingerprint().to_bytes()[..],
            account.to_bytes(),
        ],
    )?;
    Ok(())
}

/// Returns what was known of an identity before another one took its place.
pub(crate) fn former(
    connection: &Connection,
    user: UserAddress,
    fingerprint: Fingerprint,
) -> Result<Option<VerifiedAccount>, StoreError> {
    let sql = "SELECT state FROM former_account WHERE user = ?1 AND fingerprint = ?2";
    let key = params![&user_key(user)[..], &fingerprint.to_bytes()[..]];
    let state: Option<Vec<u8>> = connection.query_row(sql, key, |row| row.get(0)).optional()?;
    Ok(state.map(|state| VerifiedAccount::from_bytes(&state)).transpose()?)
}

fn read_fingerprint(bytes: Option<Vec<u8>>) -> Result<Option<Fingerprint>, StoreError> {
    bytes
        .map(|bytes| bytes.try_into().map(Fingerprint::from_bytes))
        .transpose()
        .map_err(|_| StoreError::Value("fingerprint"))
}
