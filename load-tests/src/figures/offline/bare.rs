//! The yardstick: bare statements on a table of the same shape, in batches as large as those that
//! the service made, one after another on one connection, as the service's writers work.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};
use uuid::Uuid;

use crate::clock::unix_seconds;
use crate::generator::CIPHERTEXT_LENGTH;

/// The same columns and indexes as those of `envelopes`.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS bare_envelopes (LIKE envelopes INCLUDING ALL)";
const INSERT: &str = "INSERT INTO bare_envelopes (tenant_id, device_id, envelope_id, chat_id, \
                      message_id, sender_tenant_id, sender_user_id, sender_device_id, ciphertext, \
                      ciphertext_bytes, accepted_at, stored_at) \
                      SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], \
                      $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[], $9::bytea[], $10::int[], \
                      $11::bigint[], $12::bigint[])";
const SELECT: &str = "SELECT * FROM bare_envelopes WHERE tenant_id = $1 AND device_id = $2 \
                      ORDER BY envelope_id";
const DELETE: &str = "DELETE FROM bare_envelopes \
                      WHERE (tenant_id, device_id, envelope_id) \
                        IN (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]))";

/// What was done in how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// Rows.
    pub(super) rows: u64,
    /// How long it took.
    pub(super) took: Duration,
}

/// The table and a connection to it.
#[derive(Debug)]
pub(super) struct Bare {
    connection: PgConnection,
    tenant: Uuid,
    devices: Vec<Uuid>,
    /// Devices and envelopes of the rows, in the order in which they were inserted.
    rows: Vec<(Uuid, Uuid)>,
    ciphertext: Vec<u8>,
}

impl Bare {
    /// Makes the table where there is none.
    pub(super) async fn open(url: &str, devices: usize) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await.context("connect to PostgreSQL")?;
        connection.execute(TABLE).await.context("make a table like that of the envelopes")?;
        let mut ciphertext = vec![0; CIPHERTEXT_LENGTH];
        getrandom::fill(&mut ciphertext).ok().context("random bytes")?;
        let devices = (0..devices).map(|_| id()).collect();
        Ok(Self { connection, tenant: id(), devices, rows: Vec::new(), ciphertext })
    }

    /// Inserts batches for a while.
    pub(super) async fn insert(&mut self, batch: usize, duration: Duration) -> Result<Work> {
        let (began, before) = (Instant::now(), self.rows.len());
        while began.elapsed() < duration {
            self.insert_batch(batch).await.context("a bare INSERT")?;
        }
        Ok(Work { rows: u64::try_from(self.rows.len() - before)?, took: began.elapsed() })
    }

    async fn insert_batch(&mut self, batch: usize) -> Result<()> {
        let first = self.rows.len();
        let now = i64::try_from(unix_seconds())? * 1_000_000;
        for number in first..first + batch {
            self.rows.push((self.devices[number % self.devices.len()], ascending(number)));
        }
        let (devices, envelopes): (Vec<Uuid>, Vec<Uuid>) =
            self.rows[first..].iter().copied().unzip();
        let same = |id: Uuid| vec![id; batch];
        let messages: Vec<Uuid> = envelopes.iter().map(|_| id()).collect();
        let inserted = sqlx::query(INSERT)
            .bind(same(self.tenant))
            .bind(&devices)
            .bind(&envelopes)
            .bind(&messages)
            .bind(&messages)
            .bind(same(self.tenant))
            .bind(&devices)
            .bind(&devices)
            .bind(vec![self.ciphertext.as_slice(); batch])
            .bind(vec![i32::try_from(CIPHERTEXT_LENGTH)?; batch])
            .bind((first..first + batch).map(i64::try_from).collect::<Result<Vec<_>, _>>()?)
            .bind(vec![now; batch])
            .execute(&mut self.connection)
            .await?;
        ensure!(inserted.rows_affected() == u64::try_from(batch)?, "rows are missing");
        Ok(())
    }

    /// Reads every row once, device by device.
    pub(super) async fn read(&mut self) -> Result<Work> {
        let (began, mut rows) = (Instant::now(), 0);
        for device in &self.devices {
            let read = sqlx::query(SELECT).bind(self.tenant).bind(device);
            rows += read.fetch_all(&mut self.connection).await.context("a bare SELECT")?.len();
        }
        ensure!(rows == self.rows.len(), "{rows} of {} rows were read", self.rows.len());
        Ok(Work { rows: u64::try_from(rows)?, took: began.elapsed() })
    }

    /// Deletes every row, in batches.
    pub(super) async fn delete(&mut self, batch: usize) -> Result<Work> {
        let (began, mut deleted) = (Instant::now(), 0);
        let rows = std::mem::take(&mut self.rows);
        for some in rows.chunks(batch) {
            let (devices, envelopes): (Vec<Uuid>, Vec<Uuid>) = some.iter().copied().unzip();
            let done = sqlx::query(DELETE)
                .bind(vec![self.tenant; some.len()])
                .bind(devices)
                .bind(envelopes)
                .execute(&mut self.connection)
                .await
                .context("a bare DELETE")?;
            deleted += done.rows_affected();
        }
        ensure!(deleted == u64::try_from(rows.len())?, "{deleted} of {} rows", rows.len());
        Ok(Work { rows: deleted, took: began.elapsed() })
    }
}

fn id() -> Uuid {
    Uuid::from_bytes(plasma_testkit::secret::bytes())
}

/// Ids that ascend, as those of envelopes do, and that no two runs share.
fn ascending(number: usize) -> Uuid {
    let number = u128::try_from(number).unwrap_or_default();
    Uuid::from_u128(number << 64 | u128::from(u64::from_be_bytes(plasma_testkit::secret::bytes())))
}
