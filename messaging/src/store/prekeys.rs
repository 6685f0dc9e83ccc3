//! Prekeys. A one-time key is handed out once: its row stays behind without its bytes.

use std::time::Duration;

use plasma_identity::{MAX_LATENCY_SECONDS, PrekeyRole};
use plasma_kit::db::expect_rows;
use plasma_kit::ids::DeviceId;
use plasma_kit::{Scope, StoreError, TenantTx, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::statement;
use crate::domain::Prekey;

const KEYS_PER_STATEMENT: usize = 100;

/// How long a caller waits, time after time, for keys that others are taking.
const CONTENTION_PAUSES: [Duration; 4] = [
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
];

/// Adds keys behind those that are there, in order; an id that was ever there is left as it is.
/// The device is locked.
pub(crate) async fn add_one_time(
    tx: &TenantTx,
    device: DeviceId,
    keys: &[Prekey],
) -> Result<(), StoreError> {
    let mut position = last_position(tx, device).await?;
    for chunk in keys.chunks(KEYS_PER_STATEMENT) {
        insert(tx, device, position + 1, chunk).await?;
        position += i64::try_from(chunk.len()).unwrap_or(i64::MAX);
    }
    Ok(())
}

/// Puts a signed or last-resort key in the place of the one before. The device is locked.
pub(crate) async fn replace(
    tx: &TenantTx,
    device: DeviceId,
    key: &Prekey,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM prekeys WHERE tenant_id = $1 AND device_id = $2 AND role = $3 \
               AND key_id <> $4";
    let values = [
        tx.tenant().0.into(),
        device.0.into(),
        role_number(key.role()).into(),
        i64::from(key.id()).into(),
    ];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    insert(tx, device, 0, std::slice::from_ref(key)).await
}

async fn insert(
    tx: &TenantTx,
    device: DeviceId,
    first_position: i64,
    keys: &[Prekey],
) -> Result<(), StoreError> {
    let mut values: Vec<Value> = vec![tx.tenant().0.into(), device.0.into()];
    let mut rows = Vec::with_capacity(keys.len());
    for (position, key) in (first_position..).zip(keys) {
        let at = values.len();
        rows.push(format!("($1, $2, ${}, ${}, ${}, ${})", at + 1, at + 2, at + 3, at + 4));
        values.extend([
            role_number(key.role()).into(),
            i64::from(key.id()).into(),
            position.into(),
            key.bytes().to_vec().into(),
        ]);
    }
    let sql = format!(
        "INSERT INTO prekeys (tenant_id, device_id, role, key_id, position, prekey) \
         VALUES {} ON CONFLICT DO NOTHING",
        rows.join(", ")
    );
    tx.conn().execute_raw(Statement::from_sql_and_values(tx.backend(), sql, values)).await?;
    Ok(())
}

async fn last_position(tx: &TenantTx, device: DeviceId) -> Result<i64, StoreError> {
    let sql = "SELECT COALESCE(MAX(position), 0) AS last FROM prekeys \
               WHERE tenant_id = $1 AND device_id = $2";
    let values = [tx.tenant().0.into(), device.0.into()];
    let row = tx.conn().query_one_raw(statement(tx, sql, values)).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get("", "last"))?)
}

/// Counts the one-time keys of a role that are left.
pub(crate) async fn count_left(
    scope: &impl Scope,
    device: DeviceId,
    role: PrekeyRole,
) -> Result<u32, StoreError> {
    let sql = "SELECT COUNT(*) AS left_over FROM prekeys WHERE tenant_id = $1 \
               AND device_id = $2 AND role = $3 AND taken_at IS NULL";
    let values = [scope.tenant().0.into(), device.0.into(), role_number(role).into()];
    let row = scope.conn().query_one_raw(statement(scope, sql, values)).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get("", "left_over"))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The device's signed or last-resort key; `None` where the device was removed a moment ago.
pub(crate) async fn lasting(
    scope: &impl Scope,
    device: DeviceId,
    role: PrekeyRole,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT prekey FROM prekeys WHERE tenant_id = $1 AND device_id = $2 AND role = $3";
    let values = [scope.tenant().0.into(), device.0.into(), role_number(role).into()];
    let row = scope.conn().query_one_raw(statement(scope, sql, values)).await?;
    Ok(row.map(|row| row.try_get("", "prekey")).transpose()?)
}

/// Takes the oldest one-time key of a role; `None` where none is left. No two callers get one key.
pub(crate) async fn take(
    tx: &TenantTx,
    device: DeviceId,
    role: PrekeyRole,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, StoreError> {
    for pause in CONTENTION_PAUSES {
        if let Some(key) = take_oldest(tx, device, role, now).await? {
            return Ok(Some(key));
        }
        if count_left(tx, device, role).await? == 0 {
            return Ok(None);
        }
        // Other callers are taking all that are left, and may yet let go of them.
        tokio::time::sleep(pause).await;
    }
    take_oldest(tx, device, role, now).await
}

/// Takes the oldest key that no other caller is taking. Never waits for another caller, so that
/// racing callers cannot wait for each other for ever: on PostgreSQL a row that was taken in the
/// meantime stays locked by whoever looked at it, in whatever order they came.
async fn take_oldest(
    tx: &TenantTx,
    device: DeviceId,
    role: PrekeyRole,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, StoreError> {
    // SQLite has one writer at a time anyway.
    let lock = match tx.backend() {
        DbBackend::Postgres => " FOR UPDATE SKIP LOCKED",
        _ => "",
    };
    let sql = format!(
        "SELECT key_id, prekey FROM prekeys WHERE tenant_id = $1 AND device_id = $2 \
         AND role = $3 AND taken_at IS NULL ORDER BY position LIMIT 1{lock}"
    );
    let values = [tx.tenant().0.into(), device.0.into(), role_number(role).into()];
    let Some(row) = tx.conn().query_one_raw(statement(tx, &sql, values)).await? else {
        return Ok(None);
    };
    let key_id: i64 = row.try_get("", "key_id")?;
    let sql = "UPDATE prekeys SET taken_at = $1, prekey = $2 WHERE tenant_id = $3 \
               AND device_id = $4 AND role = $5 AND key_id = $6 AND taken_at IS NULL";
    let values = [
        now.0.into(),
        Vec::<u8>::new().into(),
        tx.tenant().0.into(),
        device.0.into(),
        role_number(role).into(),
        key_id.into(),
    ];
    let result = tx.conn().execute_raw(statement(tx, sql, values)).await?;
    expect_rows("take a prekey", 1, result.rows_affected())?;
    Ok(Some(row.try_get("", "prekey")?))
}

/// Deletes what remains of keys taken so long ago that nobody retries their publication.
pub(crate) async fn forget_taken(
    tx: &TenantTx,
    device: DeviceId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM prekeys WHERE tenant_id = $1 AND device_id = $2 AND taken_at < $3";
    let before = now.minus(Duration::from_secs(MAX_LATENCY_SECONDS));
    let values = [tx.tenant().0.into(), device.0.into(), before.0.into()];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    Ok(())
}

fn role_number(role: PrekeyRole) -> i16 {
    i16::from(role.number())
}
