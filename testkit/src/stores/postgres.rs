//! The counters of a PostgreSQL database.
//!
//! A connection counts for itself and publishes at the end of a transaction, but at most once a
//! second; what it could not publish then it publishes when it has been idle for 10 seconds
//! (`PGSTAT_MIN_INTERVAL` and `PGSTAT_IDLE_INTERVAL` of
//! <https://github.com/postgres/postgres/blob/REL_15_STABLE/src/backend/utils/activity/pgstat.c>).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::postgres::Programs;

/// Connections that may still hold counts of what they did before the moment `$T0`.
const UNPUBLISHED: &str = "SELECT count(*) FROM pg_stat_activity \
     WHERE datname = current_database() AND pid <> pg_backend_pid() \
     AND backend_type = 'client backend' \
     AND NOT (state = 'idle' AND state_change > '$T0'::timestamptz + interval '1050 ms') \
     AND NOT (state = 'idle' AND state_change < clock_timestamp() - interval '10500 ms')";

const ROWS: &str = "SELECT tup_inserted + tup_updated + tup_deleted \
     FROM pg_stat_database WHERE datname = current_database()";

const TABLES: &str = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables";

/// Rows written to a database since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseCounters {
    /// Inserted, updated and deleted, catalogs included.
    pub rows_written: u64,
    /// The same by table of the service.
    pub tables: BTreeMap<String, u64>,
}

#[derive(Debug)]
pub(super) struct Observer {
    programs: Programs,
    url: String,
}

impl Observer {
    pub(super) fn new(url: &str) -> Result<Self> {
        Ok(Self { programs: Programs::find()?, url: url.to_owned() })
    }

    fn query(&self, sql: &str) -> Result<String> {
        self.programs.query(&self.url, sql)
    }

    pub(super) fn read(&self) -> Result<DatabaseCounters> {
        let rows_written = self.query(ROWS)?.parse().context("the database's row counter")?;
        let tables = self
            .query(TABLES)?
            .lines()
            .map(|line| {
                let (name, rows) = line.split_once('|').context("two columns")?;
                Ok((name.to_owned(), rows.parse()?))
            })
            .collect::<Result<_>>()?;
        Ok(DatabaseCounters { rows_written, tables })
    }

    /// Waits until every connection has published what it did before the call.
    pub(super) fn wait_until_published(&self, deadline: Instant) -> Result<()> {
        let now = self.query("SELECT clock_timestamp()")?;
        let unpublished = UNPUBLISHED.replace("$T0", &now);
        loop {
            let open = self.query(&unpublished)?;
            if open == "0" {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{open} connections have not published what they counted"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}
