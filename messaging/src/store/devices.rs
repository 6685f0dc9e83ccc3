//! Devices and their certificates.

use plasma_identity::DeviceCertificate;
use plasma_kit::db::expect_rows;
use plasma_kit::ids::{DeviceId, UserId};
use plasma_kit::{Scope, StoreError, TenantTx, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend};

use super::{moment, statement};

/// The state of a device that the manifest in force lists.
pub(crate) const ACTIVE: i16 = 1;

/// The state of a device that a former manifest lists: viewers of the chain need its certificate.
pub(super) const REMOVED: i16 = 2;
/// The state of a device of an account that has begun anew since: only its id is kept, so that it
/// is never used again.
pub(super) const FORGOTTEN: i16 = 3;

/// A device of the manifest in force.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    /// The device.
    pub id: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// Its certificate, encoded.
    pub certificate: Vec<u8>,
    /// Tokens issued before are void.
    pub tokens_valid_from: Timestamp,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Finds an active device.
pub(crate) async fn find(
    scope: &impl Scope,
    device: DeviceId,
) -> Result<Option<Device>, StoreError> {
    let sql = "SELECT user_id, certificate, tokens_valid_from, created_at FROM devices \
               WHERE tenant_id = $1 AND device_id = $2 AND state = $3";
    let values = [scope.tenant().0.into(), device.0.into(), ACTIVE.into()];
    let row = scope.conn().query_one_raw(statement(scope, sql, values)).await?;
    row.map(|row| {
        Ok(Device {
            id: device,
            user: UserId(row.try_get("", "user_id")?),
            certificate: row.try_get("", "certificate")?,
            tokens_valid_from: moment(&row, "tokens_valid_from")?,
            created_at: moment(&row, "created_at")?,
        })
    })
    .transpose()
}

/// Certificates of every device that a manifest of the account ever named, oldest first.
pub(crate) async fn certificates(
    scope: &impl Scope,
    user: UserId,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let sql = "SELECT certificate FROM devices WHERE tenant_id = $1 AND user_id = $2 \
               AND state <> $3 ORDER BY created_at, device_id";
    let values = [scope.tenant().0.into(), user.0.into(), FORGOTTEN.into()];
    let rows = scope.conn().query_all_raw(statement(scope, sql, values)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "certificate")?)).collect()
}

/// Stores a new device; `false` where its id was used before.
pub(crate) async fn insert(
    tx: &TenantTx,
    certificate: &DeviceCertificate,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let address = certificate.address();
    let sql = "INSERT INTO devices (tenant_id, device_id, user_id, certificate, state, \
               tokens_valid_from, connection, created_at) VALUES ($1, $2, $3, $4, $5, $6, 0, $7) \
               ON CONFLICT DO NOTHING";
    let values = [
        tx.tenant().0.into(),
        address.device.into(),
        address.user.into(),
        certificate.to_bytes().into(),
        ACTIVE.into(),
        now.0.into(),
        now.0.into(),
    ];
    Ok(tx.conn().execute_raw(statement(tx, sql, values)).await?.rows_affected() == 1)
}

/// Makes every token issued until now void.
pub(crate) async fn end_tokens(
    tx: &TenantTx,
    device: DeviceId,
    now: Timestamp,
) -> Result<(), StoreError> {
    // One more microsecond: a token may have been issued in this one. Never back: the clocks of
    // two nodes may differ.
    let valid_from = now.0.saturating_add(1);
    let sql = "UPDATE devices SET tokens_valid_from = CASE \
               WHEN tokens_valid_from < $1 THEN $1 ELSE tokens_valid_from + 1 END \
               WHERE tenant_id = $2 AND device_id = $3";
    let values = [valid_from.into(), tx.tenant().0.into(), device.0.into()];
    let result = tx.conn().execute_raw(statement(tx, sql, values)).await?;
    expect_rows("end a device's tokens", 1, result.rows_affected())
}

/// Makes parallel changes of one device wait for each other until the transaction ends; `false`
/// where the device is not active.
pub(crate) async fn lock(tx: &TenantTx, device: DeviceId) -> Result<bool, StoreError> {
    // SQLite has one writer at a time anyway.
    let lock = if tx.backend() == DbBackend::Postgres { " FOR NO KEY UPDATE" } else { "" };
    let sql = format!(
        "SELECT device_id FROM devices WHERE tenant_id = $1 AND device_id = $2 \
         AND state = $3{lock}"
    );
    let values = [tx.tenant().0.into(), device.0.into(), ACTIVE.into()];
    Ok(tx.conn().query_one_raw(statement(tx, &sql, values)).await?.is_some())
}
