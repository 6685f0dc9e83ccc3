//! Envelopes that wait for their devices. Batches cross tenants, so these are among the few
//! queries that use [`SystemDb`].

use std::collections::HashSet;

use bytes::Bytes;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::SystemTx;
use plasma_kit::ids::{ChatId, DeviceId, EnvelopeId, MessageId, TenantId, UserId};
use plasma_kit::{StoreError, SystemDb, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use uuid::Uuid;

use super::devices::ACTIVE;
use crate::delivery::{DeviceKey, Parcel};

/// Most rows of one statement: SQLite takes 32,766 parameters, and a row has eleven.
pub(crate) const ROWS_MAX: usize = 500;

const COLUMNS: &str = "tenant_id, device_id, envelope_id, chat_id, message_id, sender_tenant_id, \
                       sender_user_id, sender_device_id, ciphertext, ciphertext_bytes, accepted_at";

/// Inserts envelopes in one transaction; gives back the devices of the batch that are gone and got
/// none. An envelope of a message that waits already is left alone.
pub(crate) async fn insert(
    db: &SystemDb,
    parcels: &[&Parcel],
    now: Timestamp,
) -> Result<HashSet<DeviceKey>, StoreError> {
    let tx = db.begin().await?;
    let mut gone = HashSet::new();
    for chunk in parcels.chunks(ROWS_MAX) {
        let statement = match db.backend() {
            DbBackend::Postgres => insert_arrays(chunk, now),
            backend => insert_values(backend, chunk, now),
        };
        let inserted = tx.conn().execute_raw(statement).await?.rows_affected();
        if inserted < chunk.len() as u64 {
            gone.extend(missing(db.backend(), &tx, chunk).await?);
        }
    }
    tx.commit().await?;
    Ok(gone)
}

/// The devices of a batch that are none any more. What was not inserted for another device waits
/// for it already.
async fn missing(
    backend: DbBackend,
    tx: &SystemTx,
    parcels: &[&Parcel],
) -> Result<HashSet<DeviceKey>, StoreError> {
    let mut devices: HashSet<DeviceKey> = parcels.iter().map(|parcel| parcel.to).collect();
    let places: Vec<String> = (0..devices.len())
        .map(|place| format!("(${}, ${})", 2 * place + 1, 2 * place + 2))
        .collect();
    let sql = format!(
        "SELECT tenant_id, device_id FROM devices \
         WHERE (tenant_id, device_id) IN (VALUES {}) AND state = {ACTIVE}",
        places.join(", ")
    );
    let values = devices.iter().flat_map(|(tenant, device)| [tenant.0.into(), device.0.into()]);
    let statement = Statement::from_sql_and_values(backend, sql, values);
    for row in tx.conn().query_all_raw(statement).await? {
        devices.remove(&key(&row)?);
    }
    Ok(devices)
}

fn key(row: &QueryResult) -> Result<DeviceKey, StoreError> {
    Ok((TenantId(row.try_get("", "tenant_id")?), DeviceId(row.try_get("", "device_id")?)))
}

fn insert_select(source: &str, stored_at: &str) -> String {
    format!(
        "INSERT INTO envelopes ({COLUMNS}, stored_at) \
         SELECT v.tenant_id, v.device_id, v.envelope_id, v.chat_id, v.message_id, \
                v.sender_tenant_id, v.sender_user_id, v.sender_device_id, v.ciphertext, \
                v.ciphertext_bytes, v.accepted_at, {stored_at} \
         FROM {source} \
         JOIN devices d ON d.tenant_id = v.tenant_id AND d.device_id = v.device_id \
         WHERE d.state = {ACTIVE} ON CONFLICT DO NOTHING"
    )
}

/// One statement text for a batch of any size, so that PostgreSQL plans it once.
fn insert_arrays(parcels: &[&Parcel], now: Timestamp) -> Statement {
    let source = format!(
        "unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], \
         $7::uuid[], $8::uuid[], $9::bytea[], $10::int[], $11::bigint[]) AS v({COLUMNS})"
    );
    let ids = |id: fn(&Parcel) -> Uuid| -> Value {
        parcels.iter().map(|parcel| id(parcel)).collect::<Vec<Uuid>>().into()
    };
    let bodies: Vec<Vec<u8>> = parcels.iter().map(|parcel| parcel.ciphertext.to_vec()).collect();
    let sizes: Vec<i32> = parcels.iter().map(|parcel| size(parcel)).collect();
    let times: Vec<i64> = parcels.iter().map(|parcel| parcel.accepted_at.0).collect();
    let values = [
        ids(|parcel| parcel.to.0.0),
        ids(|parcel| parcel.to.1.0),
        ids(|parcel| parcel.envelope.0),
        ids(chat),
        ids(|parcel| parcel.message.0),
        ids(|parcel| parcel.sender.tenant.0),
        ids(|parcel| parcel.sender.user.0),
        ids(|parcel| parcel.sender.device.0),
        bodies.into(),
        sizes.into(),
        times.into(),
        now.0.into(),
    ];
    Statement::from_sql_and_values(DbBackend::Postgres, insert_select(&source, "$12"), values)
}

fn insert_values(backend: DbBackend, parcels: &[&Parcel], now: Timestamp) -> Statement {
    let rows = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; parcels.len()].join(", ");
    let sql = format!("WITH v({COLUMNS}) AS (VALUES {rows}) {}", insert_select("v", "?"));
    let mut values: Vec<Value> = Vec::with_capacity(parcels.len() * 11 + 1);
    for parcel in parcels {
        values.extend([
            parcel.to.0.0.into(),
            parcel.to.1.0.into(),
            parcel.envelope.0.into(),
            chat(parcel).into(),
            parcel.message.0.into(),
            parcel.sender.tenant.0.into(),
            parcel.sender.user.0.into(),
            parcel.sender.device.0.into(),
            parcel.ciphertext.to_vec().into(),
            size(parcel).into(),
            parcel.accepted_at.0.into(),
        ]);
    }
    values.push(now.0.into());
    Statement::from_sql_and_values(backend, sql, values)
}

/// The nil id stands for no chat.
fn chat(parcel: &Parcel) -> Uuid {
    parcel.chat.map_or(Uuid::nil(), |chat| chat.0)
}

fn size(parcel: &Parcel) -> i32 {
    i32::try_from(parcel.bytes()).unwrap_or(i32::MAX)
}

/// Deletes acknowledged envelopes; gives back those that were there.
pub(crate) async fn delete(
    db: &SystemDb,
    envelopes: &[(DeviceKey, EnvelopeId)],
) -> Result<Vec<EnvelopeId>, StoreError> {
    let tx = db.begin().await?;
    let mut deleted = Vec::new();
    for chunk in envelopes.chunks(ROWS_MAX) {
        let statement = match db.backend() {
            DbBackend::Postgres => delete_arrays(chunk),
            backend => delete_values(backend, chunk),
        };
        for row in tx.conn().query_all_raw(statement).await? {
            deleted.push(EnvelopeId(row.try_get("", "envelope_id")?));
        }
    }
    tx.commit().await?;
    Ok(deleted)
}

fn delete_arrays(envelopes: &[(DeviceKey, EnvelopeId)]) -> Statement {
    let sql = "DELETE FROM envelopes e \
               USING unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS a(tenant_id, device_id, envelope_id) \
               WHERE e.tenant_id = a.tenant_id AND e.device_id = a.device_id \
                 AND e.envelope_id = a.envelope_id \
               RETURNING e.envelope_id";
    let tenants: Vec<Uuid> = envelopes.iter().map(|((tenant, _), _)| tenant.0).collect();
    let devices: Vec<Uuid> = envelopes.iter().map(|((_, device), _)| device.0).collect();
    let ids: Vec<Uuid> = envelopes.iter().map(|(_, envelope)| envelope.0).collect();
    let values: [Value; 3] = [tenants.into(), devices.into(), ids.into()];
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

fn delete_values(backend: DbBackend, envelopes: &[(DeviceKey, EnvelopeId)]) -> Statement {
    let rows = vec!["(?, ?, ?)"; envelopes.len()].join(", ");
    let sql = format!(
        "DELETE FROM envelopes WHERE (tenant_id, device_id, envelope_id) IN (VALUES {rows}) \
         RETURNING envelope_id"
    );
    let values = envelopes.iter().flat_map(|((tenant, device), envelope)| -> [Value; 3] {
        [tenant.0.into(), device.0.into(), envelope.0.into()]
    });
    Statement::from_sql_and_values(backend, sql, values)
}

/// An envelope that waits, without its ciphertext.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiting {
    pub(crate) envelope: EnvelopeId,
    pub(crate) bytes: usize,
}

/// Lists what waits for a device, oldest first; nothing for one that is gone. All of it is
/// unacknowledged: that it is here says so.
pub(crate) async fn list(
    db: &SystemDb,
    device: DeviceKey,
    limit: usize,
) -> Result<Vec<Waiting>, StoreError> {
    let sql = format!(
        "SELECT envelope_id, ciphertext_bytes FROM envelopes \
         WHERE tenant_id = $1 AND device_id = $2 AND EXISTS \
           (SELECT 1 FROM devices WHERE tenant_id = $1 AND device_id = $2 AND state = {ACTIVE}) \
         ORDER BY accepted_at, envelope_id LIMIT $3"
    );
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [device.0.0.into(), device.1.0.into(), limit.into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let rows = db.conn().query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let bytes: i32 = row.try_get("", "ciphertext_bytes")?;
            Ok(Waiting {
                envelope: EnvelopeId(row.try_get("", "envelope_id")?),
                bytes: usize::try_from(bytes).unwrap_or_default(),
            })
        })
        .collect()
}

/// Loads envelopes of a device, oldest first.
pub(crate) async fn load(
    db: &SystemDb,
    device: DeviceKey,
    envelopes: &[EnvelopeId],
) -> Result<Vec<Parcel>, StoreError> {
    if envelopes.is_empty() {
        return Ok(Vec::new());
    }
    let places: Vec<String> = (3..envelopes.len() + 3).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM envelopes \
         WHERE tenant_id = $1 AND device_id = $2 AND envelope_id IN ({}) \
         ORDER BY accepted_at, envelope_id",
        places.join(", ")
    );
    let mut values: Vec<Value> = vec![device.0.0.into(), device.1.0.into()];
    values.extend(envelopes.iter().map(|envelope| Value::from(envelope.0)));
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    db.conn().query_all_raw(statement).await?.iter().map(parcel).collect()
}

fn parcel(row: &QueryResult) -> Result<Parcel, StoreError> {
    let chat: Uuid = row.try_get("", "chat_id")?;
    let ciphertext: Vec<u8> = row.try_get("", "ciphertext")?;
    Ok(Parcel {
        envelope: EnvelopeId(row.try_get("", "envelope_id")?),
        to: key(row)?,
        chat: (!chat.is_nil()).then_some(ChatId(chat)),
        message: MessageId(row.try_get("", "message_id")?),
        sender: DeviceActor {
            tenant: TenantId(row.try_get("", "sender_tenant_id")?),
            user: UserId(row.try_get("", "sender_user_id")?),
            device: DeviceId(row.try_get("", "sender_device_id")?),
        },
        ciphertext: Bytes::from(ciphertext),
        accepted_at: Timestamp(row.try_get("", "accepted_at")?),
    })
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
