//! What goes with a device that is no longer of an account.

use plasma_kit::ids::{DeviceId, UserId};
use plasma_kit::{Scope, StoreError, SystemDb, TenantTx, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::devices::{ACTIVE, FORGOTTEN, REMOVED};
use super::statement;

/// How the `revocations` table names a device.
const DEVICE_KIND: i16 = 4;

/// Takes devices out of the list: their tokens are void, and what waited for them and their
/// prekeys are deleted. Their certificates stay for viewers of the chain. A device that is gone
/// already stays as it is.
pub(crate) async fn remove(
    tx: &TenantTx,
    devices: &[DeviceId],
    now: Timestamp,
) -> Result<(), StoreError> {
    for device in devices {
        let sql = "UPDATE devices SET state = $1, tokens_valid_from = $2 \
                   WHERE tenant_id = $3 AND device_id = $4 AND state = $5";
        let values: [Value; 5] =
            [REMOVED.into(), now.0.into(), tx.tenant().0.into(), device.0.into(), ACTIVE.into()];
        tx.conn().execute_raw(statement(tx, sql, values)).await?;
        delete_queue(tx, *device).await?;
        let sql = "DELETE FROM prekeys WHERE tenant_id = $1 AND device_id = $2";
        let values = [tx.tenant().0.into(), device.0.into()];
        tx.conn().execute_raw(statement(tx, sql, values)).await?;
    }
    Ok(())
}

/// Forgets every device that a user ever had but for its id. Gives back those that were active,
/// which are removed as by [`remove`]. The account is locked.
pub(crate) async fn forget_all(
    tx: &TenantTx,
    user: UserId,
    now: Timestamp,
) -> Result<Vec<DeviceId>, StoreError> {
    let sql = "SELECT device_id FROM devices WHERE tenant_id = $1 AND user_id = $2 AND state = $3 \
               ORDER BY device_id";
    let values = [tx.tenant().0.into(), user.0.into(), ACTIVE.into()];
    let rows = tx.conn().query_all_raw(statement(tx, sql, values)).await?;
    let active: Result<Vec<DeviceId>, StoreError> =
        rows.iter().map(|row| Ok(DeviceId(row.try_get("", "device_id")?))).collect();
    let active = active?;
    remove(tx, &active, now).await?;
    let sql = "UPDATE devices SET state = $1, certificate = $2 \
               WHERE tenant_id = $3 AND user_id = $4";
    let values: [Value; 4] =
        [FORGOTTEN.into(), Vec::<u8>::new().into(), tx.tenant().0.into(), user.0.into()];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    Ok(active)
}

/// Deletes what waits for a device. An envelope that is being acknowledged at this moment is left
/// to its acknowledgement, so that the two never wait for each other.
async fn delete_queue(tx: &TenantTx, device: DeviceId) -> Result<(), StoreError> {
    // SQLite has one writer at a time anyway.
    let lock = match tx.backend() {
        DbBackend::Postgres => " FOR UPDATE SKIP LOCKED",
        _ => "",
    };
    let sql = format!(
        "DELETE FROM envelopes WHERE tenant_id = $1 AND device_id = $2 AND envelope_id IN \
         (SELECT envelope_id FROM envelopes WHERE tenant_id = $1 AND device_id = $2{lock})"
    );
    let values = [tx.tenant().0.into(), device.0.into()];
    tx.conn().execute_raw(statement(tx, &sql, values)).await?;
    Ok(())
}

/// Deletes what was stored for a device while it was being removed. `since` bounds the removals
/// that are looked at.
pub(crate) async fn delete_strays(db: &SystemDb, since: Timestamp) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let sql = "DELETE FROM envelopes WHERE (tenant_id, device_id) IN \
               (SELECT r.tenant_id, r.subject_id FROM revocations r \
                JOIN devices d ON d.tenant_id = r.tenant_id AND d.device_id = r.subject_id \
                WHERE r.created_at >= $1 AND r.kind = $2 AND d.state <> $3)";
    let values: [Value; 3] = [since.0.into(), DEVICE_KIND.into(), ACTIVE.into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let deleted = tx.conn().execute_raw(statement).await?.rows_affected();
    tx.commit().await?;
    Ok(deleted)
}
