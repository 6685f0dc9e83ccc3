//! Batches of envelopes on their way into the store.
//!
//! On PostgreSQL a batch is one statement that commits by itself: a transaction around it would
//! cost two more round trips, each as dear as some of its rows.

use std::collections::HashSet;

use plasma_kit::{StoreError, SystemDb, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};
use uuid::Uuid;

use super::super::devices::ACTIVE;
use super::{COLUMNS, ROWS_MAX, key};
use crate::delivery::{DeviceKey, Parcel};

/// Inserts envelopes, all of them or none; gives back the devices of the batch that are gone and
/// got none. An envelope of a message that waits already is left alone.
pub(crate) async fn insert(
    db: &SystemDb,
    parcels: &[&Parcel],
    now: Timestamp,
) -> Result<HashSet<DeviceKey>, StoreError> {
    let inserted = match db.backend() {
        DbBackend::Postgres => {
            let statement = insert_arrays(parcels, now);
            db.conn().execute_raw(statement).await?.rows_affected()
        }
        backend => insert_in_parts(db, backend, parcels, now).await?,
    };
    if inserted < parcels.len() as u64 { missing(db, parcels).await } else { Ok(HashSet::new()) }
}

async fn insert_in_parts(
    db: &SystemDb,
    backend: DbBackend,
    parcels: &[&Parcel],
    now: Timestamp,
) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let mut inserted = 0;
    for some in parcels.chunks(ROWS_MAX) {
        let statement = insert_values(backend, some, now);
        inserted += tx.conn().execute_raw(statement).await?.rows_affected();
    }
    tx.commit().await?;
    Ok(inserted)
}

/// The devices of a batch that are none any more. What was not inserted for another device waits
/// for it already.
async fn missing(db: &SystemDb, parcels: &[&Parcel]) -> Result<HashSet<DeviceKey>, StoreError> {
    let mut gone: HashSet<DeviceKey> = parcels.iter().map(|parcel| parcel.to).collect();
    let devices: Vec<DeviceKey> = gone.iter().copied().collect();
    for some in devices.chunks(ROWS_MAX) {
        let places: Vec<String> = (0..some.len())
            .map(|place| format!("(${}, ${})", 2 * place + 1, 2 * place + 2))
            .collect();
        let sql = format!(
            "SELECT tenant_id, device_id FROM devices \
             WHERE (tenant_id, device_id) IN (VALUES {}) AND state = {ACTIVE}",
            places.join(", ")
        );
        let values = some.iter().flat_map(|(tenant, device)| [tenant.0.into(), device.0.into()]);
        let statement = Statement::from_sql_and_values(db.backend(), sql, values);
        for row in db.conn().query_all_raw(statement).await? {
            gone.remove(&key(&row)?);
        }
    }
    Ok(gone)
}

/// One statement text for a batch of any size, so that PostgreSQL plans it once. Devices are looked
/// up row by row, by their primary key: `OFFSET 0` keeps the planner from a join, whose best form
/// depends on how full the table is at that moment.
fn insert_arrays(parcels: &[&Parcel], now: Timestamp) -> Statement {
    let sql = format!(
        "INSERT INTO envelopes ({COLUMNS}, stored_at) \
         SELECT {COLUMNS}, $13 \
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], \
                     $7::uuid[], $8::uuid[], $9::bytea[], $10::int[], $11::bigint[], \
                     $12::smallint[]) \
              AS v({COLUMNS}) \
         WHERE EXISTS \
           (SELECT 1 FROM devices d WHERE d.tenant_id = v.tenant_id \
              AND d.device_id = v.device_id AND d.state = {ACTIVE} OFFSET 0) \
         ON CONFLICT DO NOTHING"
    );
    let ids = |id: fn(&Parcel) -> Uuid| -> Value {
        parcels.iter().map(|parcel| id(parcel)).collect::<Vec<Uuid>>().into()
    };
    let bodies: Vec<Vec<u8>> = parcels.iter().map(|parcel| parcel.ciphertext.to_vec()).collect();
    let sizes: Vec<i32> = parcels.iter().map(|parcel| size(parcel)).collect();
    let classes: Vec<i16> = parcels.iter().map(|parcel| class(parcel)).collect();
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
        classes.into(),
        now.0.into(),
    ];
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

/// SQLite has no arrays.
fn insert_values(backend: DbBackend, parcels: &[&Parcel], now: Timestamp) -> Statement {
    let rows = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"; parcels.len()].join(", ");
    let sql = format!(
        "WITH v({COLUMNS}) AS (VALUES {rows}) \
         INSERT INTO envelopes ({COLUMNS}, stored_at) SELECT v.*, ? FROM v \
         JOIN devices d ON d.tenant_id = v.tenant_id AND d.device_id = v.device_id \
         WHERE d.state = {ACTIVE} ON CONFLICT DO NOTHING"
    );
    let mut values: Vec<Value> = Vec::with_capacity(parcels.len() * 12 + 1);
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
            class(parcel).into(),
        ]);
    }
    values.push(now.0.into());
    Statement::from_sql_and_values(backend, sql, values)
}

/// The nil id stands for no chat.
fn chat(parcel: &Parcel) -> Uuid {
    parcel.chat.map_or(Uuid::nil(), |chat| chat.0)
}

/// The number that the contract gives the class.
fn class(parcel: &Parcel) -> i16 {
    i16::try_from(i32::from(parcel.class)).unwrap_or_default()
}

fn size(parcel: &Parcel) -> i32 {
    i32::try_from(parcel.bytes()).unwrap_or(i32::MAX)
}
