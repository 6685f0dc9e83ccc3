//! Envelopes that wait for their devices. Batches cross tenants, so these are among the few
//! queries that use [`SystemDb`].

mod delete;
mod insert;
mod waiting;

use plasma_kit::ids::{DeviceId, TenantId};
use plasma_kit::{StoreError, SystemDb, Timestamp};
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use super::devices::ACTIVE;
use crate::delivery::DeviceKey;

pub(crate) use delete::delete;
pub(crate) use insert::insert;
pub(crate) use waiting::{Portion, waiting};

/// Most rows of one statement: SQLite takes 32,766 parameters, and a row has twelve.
const ROWS_MAX: usize = 500;

const COLUMNS: &str = "tenant_id, device_id, envelope_id, chat_id, message_id, sender_tenant_id, \
                       sender_user_id, sender_device_id, ciphertext, ciphertext_bytes, accepted_at, \
                       class";

fn key(row: &QueryResult) -> Result<DeviceKey, StoreError> {
    Ok((TenantId(row.try_get("", "tenant_id")?), DeviceId(row.try_get("", "device_id")?)))
}

/// Whether the device is one of the manifest in force.
pub(crate) async fn is_active(db: &SystemDb, device: DeviceKey) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS found FROM devices \
               WHERE tenant_id = $1 AND device_id = $2 AND state = $3";
    let values = [device.0.0.into(), device.1.0.into(), ACTIVE.into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    Ok(db.conn().query_one_raw(statement).await?.is_some())
}

/// How much waits for a device: envelopes and bytes.
pub(crate) async fn queued(db: &SystemDb, device: DeviceKey) -> Result<(u64, u64), StoreError> {
    let sql = "SELECT count(*) AS envelopes, \
                      CAST(coalesce(sum(ciphertext_bytes), 0) AS BIGINT) AS bytes \
               FROM envelopes WHERE tenant_id = $1 AND device_id = $2";
    let values = [device.0.0.into(), device.1.0.into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let row = db
        .conn()
        .query_one_raw(statement)
        .await?
        .ok_or_else(|| StoreError::Inconsistent("a count gave no row".to_owned()))?;
    let envelopes: i64 = row.try_get("", "envelopes")?;
    let bytes: i64 = row.try_get("", "bytes")?;
    Ok((u64::try_from(envelopes).unwrap_or_default(), u64::try_from(bytes).unwrap_or_default()))
}

/// The devices for which something was stored since `since`.
pub(crate) async fn recently_stored(
    db: &SystemDb,
    since: Timestamp,
) -> Result<Vec<DeviceKey>, StoreError> {
    let sql = "SELECT DISTINCT tenant_id, device_id FROM envelopes WHERE stored_at >= $1";
    let statement = Statement::from_sql_and_values(db.backend(), sql, [since.0.into()]);
    db.conn().query_all_raw(statement).await?.iter().map(key).collect()
}

/// Deletes what waits for a device that is gone.
pub(crate) async fn forget(db: &SystemDb, device: DeviceKey) -> Result<(), StoreError> {
    let tx = db.begin().await?;
    let sql = format!(
        "DELETE FROM envelopes WHERE tenant_id = $1 AND device_id = $2 AND NOT EXISTS \
           (SELECT 1 FROM devices WHERE tenant_id = $1 AND device_id = $2 AND state = {ACTIVE})"
    );
    let values = [device.0.0.into(), device.1.0.into()];
    tx.conn().execute_raw(Statement::from_sql_and_values(db.backend(), sql, values)).await?;
    tx.commit().await
}

/// Numbers a new stream of a device: the fence between nodes. `None` where the device is gone.
pub(crate) async fn next_connection(
    db: &SystemDb,
    device: DeviceKey,
) -> Result<Option<i64>, StoreError> {
    let tx = db.begin().await?;
    let sql = format!(
        "UPDATE devices SET connection = connection + 1 \
         WHERE tenant_id = $1 AND device_id = $2 AND state = {ACTIVE} RETURNING connection"
    );
    let values = [device.0.0.into(), device.1.0.into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let row = tx.conn().query_one_raw(statement).await?;
    let number = row.map(|row| row.try_get("", "connection")).transpose()?;
    tx.commit().await?;
    Ok(number)
}
