//! The device's memory: one `SQLite` database with everything that must survive a restart.
//!
//! What is written together commits together: a session's new state, the plaintext and the end of
//! a one-time key are one transaction, and only afterwards the service hears an acknowledgement.
//! Deleted keys are overwritten (`secure_delete`). Private keys are not encrypted again inside the
//! file: it belongs into the storage that the platform protects, and is made readable for its owner
//! only.

pub(crate) mod account_reset;
pub(crate) mod accounts;
pub(crate) mod annotations;
pub(crate) mod chats;
pub(crate) mod contacts;
pub(crate) mod control;
pub(crate) mod device_names;
pub(crate) mod evidence;
pub(crate) mod expiry;
pub(crate) mod forwarded;
pub(crate) mod history;
pub(crate) mod messages;
pub(crate) mod opened;
pub(crate) mod outbox;
pub(crate) mod overview;
pub(crate) mod own_device;
pub(crate) mod prekeys;
pub(crate) mod receipts;
pub(crate) mod retry_requests;
mod schema;
pub(crate) mod sent_log;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod undecryptable;
pub(crate) mod wiping;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use plasma_e2ee::StateError;
use plasma_identity::{AccountBytesError, DeviceAddress, UserAddress};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use uuid::Uuid;

use crate::id::MessageId;
use crate::message::MessageRef;

/// Why the device's memory failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database failed.
    #[error("the device's database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// A stored key or session is not readable.
    #[error("the device's database holds unreadable state: {0}")]
    State(#[from] StateError),
    /// A stored account is not readable.
    #[error("the device's database holds an unreadable account: {0}")]
    Account(#[from] AccountBytesError),
    /// A stored value is out of its range.
    #[error("the device's database holds an impossible {0}")]
    Value(&'static str),
    /// The database was written by a later version.
    #[error("the device's database was written by a later version ({0})")]
    TooNew(i64),
}

/// The memory of one device. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    /// Opens or creates the database in a file.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        // What is acknowledged must survive a power cut: FULL makes each commit durable.
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
        restrict_to_owner(path);
        Self::prepared(connection)
    }

    /// Creates a database that ends with the process.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepared(Connection::open_in_memory()?)
    }

    fn prepared(mut connection: Connection) -> Result<Self, StoreError> {
        connection.execute_batch("PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;")?;
        schema::migrate(&mut connection)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Reads.
    pub(crate) fn read<T, E>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        read(&self.connection.lock())
    }

    /// Does `change` in one transaction, which commits if and only if it succeeds.
    pub(crate) fn write<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection.lock();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)?;
        let value = change(&transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(value)
    }

    /// Overwrites what the write-ahead log still holds of deleted secrets.
    pub(crate) fn truncate_log(&self) -> Result<(), StoreError> {
        let connection = self.connection.lock();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

#[cfg(unix)]
fn restrict_to_owner(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let owner_only = std::fs::Permissions::from_mode(0o600);
    if let Err(error) = std::fs::set_permissions(path, owner_only) {
        tracing::warn!(%error, "the device's database stays readable for others");
    }
}

#[cfg(not(unix))]
fn restrict_to_owner(_path: &Path) {}

/// A user as a key: tenant ‖ user.
pub(crate) fn user_key(user: UserAddress) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(&user.device(Uuid::nil()).to_bytes()[..32]);
    key
}

/// Reads what [`user_key`] wrote.
pub(crate) fn read_user(key: &[u8]) -> Result<UserAddress, StoreError> {
    let (tenant, user) = key.split_at_checked(16).ok_or(StoreError::Value("user"))?;
    Ok(UserAddress { tenant: read_uuid(tenant)?, user: read_uuid(user)? })
}

/// Reads a device's address: tenant ‖ user ‖ device.
pub(crate) fn read_device(key: &[u8]) -> Result<DeviceAddress, StoreError> {
    let (user, device) = key.split_at_checked(32).ok_or(StoreError::Value("device"))?;
    Ok(read_user(user)?.device(read_uuid(device)?))
}

/// Reads the name of a message.
pub(crate) fn read_ref(sender: &[u8], id: &[u8]) -> Result<MessageRef, StoreError> {
    Ok(MessageRef { sender: read_device(sender)?, id: MessageId(read_uuid(id)?) })
}

/// Reads an id.
pub(crate) fn read_uuid(bytes: &[u8]) -> Result<Uuid, StoreError> {
    Uuid::from_slice(bytes).map_err(|_| StoreError::Value("id"))
}

/// Seconds and counters as `SQLite` keeps them.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
