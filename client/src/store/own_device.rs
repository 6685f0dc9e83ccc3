//! This device's private keys.

use plasma_e2ee::{DeviceKeys, RootKey};
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use super::StoreError;

/// What makes this device itself.
#[derive(Debug, Clone)]
pub(crate) struct OwnDevice {
    pub(crate) keys: DeviceKeys,
    /// On the first device, until the recovery kit takes it over.
    pub(crate) root: Option<RootKey>,
    pub(crate) registered: bool,
}

pub(crate) fn load(connection: &Connection) -> Result<Option<OwnDevice>, StoreError> {
    let row = connection
        .query_row("SELECT keys, root, registered FROM own_device", [], |row| {
            let keys: Vec<u8> = row.get(0)?;
            let root: Option<Vec<u8>> = row.get(1)?;
            let registered: bool = row.get(2)?;
            Ok((Zeroizing::new(keys), root.map(Zeroizing::new), registered))
        })
        .optional()?;
    let Some((keys, root, registered)) = row else { return Ok(None) };
    let keys = DeviceKeys::from_bytes(&keys)?;
    let root = root.map(|bytes| RootKey::from_bytes(&bytes)).transpose()?;
    Ok(Some(OwnDevice { keys, root, registered }))
}

/// Keeps the keys of a device that is not registered yet; fails where there are keys already.
pub(crate) fn insert(
    connection: &Connection,
    keys: &DeviceKeys,
    root: Option<&RootKey>,
) -> Result<(), StoreError> {
    let root = root.map(RootKey::to_bytes);
    connection.execute(
        "INSERT INTO own_device (only, keys, root, registered) VALUES (1, ?1, ?2, FALSE)",
        params![keys.to_bytes().as_slice(), root.as_ref().map(|bytes| bytes.as_slice())],
    )?;
    Ok(())
}

pub(crate) fn mark_registered(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE own_device SET registered = TRUE", [])?;
    Ok(())
}

/// Deletes the root key, which the recovery kit holds from now on.
pub(crate) fn delete_root(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("UPDATE own_device SET root = NULL", [])?;
    Ok(())
}

/// Forgets keys that were never registered.
pub(crate) fn discard_unregistered(connection: &Connection) -> Result<(), StoreError> {
    if connection.execute("DELETE FROM own_device WHERE NOT registered", [])? > 0 {
        connection.execute_batch(
            "DELETE FROM account; DELETE FROM prekey; DELETE FROM prekey_counter;
             DELETE FROM contact; DELETE FROM device_name;",
        )?;
    }
    Ok(())
}
