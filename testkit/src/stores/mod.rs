//! Counts what the service writes, from outside the service: files of SQLite, row counters of
//! PostgreSQL, command counters of Redis. Two snapshots and their difference tell whether anything
//! was stored in between.

mod files;
mod postgres;
mod redis;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use files::FileState;
pub use postgres::DatabaseCounters;
pub use redis::BUS_COMMANDS;

/// How long everything must stand still before it counts as settled.
const QUIET: Duration = Duration::from_millis(400);
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);

/// An observer of the stores of one service.
#[derive(Debug)]
pub struct Stores {
    folder: Option<PathBuf>,
    postgres: Option<postgres::Observer>,
    redis: Option<redis::Observer>,
}

impl Stores {
    /// Observes the files of an embedded node: everything in its data folder but logs and the
    /// shared-memory index of SQLite, which readers write as well.
    pub fn embedded(data_dir: &Path) -> Self {
        Self { folder: Some(data_dir.to_owned()), postgres: None, redis: None }
    }

    /// Observes a PostgreSQL database and a Redis server.
    pub fn scaled(database_url: &str, redis_url: &str) -> Result<Self> {
        Ok(Self {
            folder: None,
            postgres: Some(postgres::Observer::new(database_url)?),
            redis: Some(redis::Observer::new(redis_url)?),
        })
    }

    /// Reads the counters now, as far as the stores have published them.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot {
            files: self.folder.as_deref().map(files::read).transpose()?.unwrap_or_default(),
            database: self.postgres.as_ref().map(postgres::Observer::read).transpose()?,
            redis: self.redis.as_ref().map(redis::Observer::read).transpose()?,
        })
    }

    /// Waits until everything done before the call is in the counters and writing has ceased,
    /// then reads them. Takes up to 11 seconds on PostgreSQL, whose idle connections publish what
    /// they counted only then.
    pub fn settled(&self) -> Result<Snapshot> {
        let deadline = Instant::now() + SETTLE_TIMEOUT;
        if let Some(postgres) = &self.postgres {
            postgres.wait_until_published(deadline)?;
        }
        let mut last = self.snapshot()?;
        loop {
            std::thread::sleep(QUIET);
            let now = self.snapshot()?;
            let change = now.since(&last);
            if change.stored_nothing() {
                return Ok(now);
            }
            if Instant::now() >= deadline {
                bail!("the stores do not come to rest: {change}");
            }
            last = now;
        }
    }
}

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    files: BTreeMap<PathBuf, FileState>,
    database: Option<DatabaseCounters>,
    redis: Option<BTreeMap<String, u64>>,
}

impl Snapshot {
    /// What happened since an earlier snapshot of the same stores.
    pub fn since(&self, earlier: &Self) -> Change {
        let database = self.database.clone().unwrap_or_default();
        let before = earlier.database.clone().unwrap_or_default();
        Change {
            files: files::changed(&self.files, &earlier.files),
            file_bytes: files::size(&self.files) - files::size(&earlier.files),
            rows: database.rows_written - before.rows_written,
            tables: grown(&database.tables, &before.tables),
            redis: grown(
                &self.redis.clone().unwrap_or_default(),
                &earlier.redis.clone().unwrap_or_default(),
            ),
        }
    }

    /// Size of the files of SQLite, main file and write-ahead log together, in bytes.
    pub fn file_bytes(&self) -> i64 {
        files::size(&self.files)
    }

    /// Rows inserted, updated and deleted in the PostgreSQL database since it was made.
    pub fn rows_written(&self) -> Option<u64> {
        self.database.as_ref().map(|database| database.rows_written)
    }

    /// Calls of each Redis command since the server started.
    pub fn redis_calls(&self) -> Option<&BTreeMap<String, u64>> {
        self.redis.as_ref()
    }
}

/// The difference of two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Files that came, went or have other content.
    pub files: Vec<PathBuf>,
    /// Bytes by which the files grew, all together.
    pub file_bytes: i64,
    /// Rows inserted, updated and deleted in the database (`pg_stat_database`).
    pub rows: u64,
    /// The same by table (`pg_stat_user_tables`).
    pub tables: BTreeMap<String, u64>,
    /// Calls by Redis command.
    pub redis: BTreeMap<String, u64>,
}

impl Change {
    /// Whether no store was written to: no file, no row, and of Redis nothing but the commands of
    /// a bus ([`BUS_COMMANDS`]).
    pub fn stored_nothing(&self) -> bool {
        self.files.is_empty()
            && self.rows == 0
            && self.tables.is_empty()
            && self.redis_beyond_bus().is_empty()
    }

    /// The Redis commands called that a bus does not need.
    pub fn redis_beyond_bus(&self) -> Vec<&str> {
        self.redis.keys().map(String::as_str).filter(|name| !redis::is_of_bus(name)).collect()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.files.iter().map(|file| file.display().to_string()).collect();
        let calls: Vec<_> = self.redis.iter().map(|(name, n)| format!("{name} {n}")).collect();
        let tables: Vec<_> = self.tables.iter().map(|(name, n)| format!("{name} {n}")).collect();
        write!(
            f,
            "files changed: [{}] by {} bytes; rows written: {} [{}]; Redis calls: [{}]",
            names.join(", "),
            self.file_bytes,
            self.rows,
            tables.join(", "),
            calls.join(", ")
        )
    }
}

/// By how much each counter grew; those that did not are left out.
fn grown(now: &BTreeMap<String, u64>, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    now.iter()
        .map(|(name, count)| {
            (name.clone(), count.saturating_sub(before.get(name).copied().unwrap_or_default()))
        })
        .filter(|(_, grown)| *grown > 0)
        .collect()
}
