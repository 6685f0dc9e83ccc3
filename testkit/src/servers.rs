//! The PostgreSQL and Redis servers that tests use: those of the whole run where there are any
//! (`PLASMA_TEST_POSTGRES`, `PLASMA_TEST_REDIS`, set by `with-servers`), else private ones that
//! the tests of one process share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use anyhow::{Context, Result};

use crate::postgres::{PrivatePostgres, Programs};
use crate::redis::PrivateRedis;

/// Names the address of a PostgreSQL server, without a database.
pub const POSTGRES_VARIABLE: &str = "PLASMA_TEST_POSTGRES";
/// Names the address of a Redis server.
pub const REDIS_VARIABLE: &str = "PLASMA_TEST_REDIS";

/// What the tests of this process share. Weak, so that the last user ends the servers: a static
/// is never dropped.
static SHARED: Mutex<(Weak<PostgresServer>, Weak<RedisServer>)> =
    Mutex::new((Weak::new(), Weak::new()));

/// A PostgreSQL server, started here or running already.
#[derive(Debug)]
pub struct PostgresServer {
    url: String,
    programs: Programs,
    private: Option<PrivatePostgres>,
}

impl PostgresServer {
    /// The server that tests share.
    pub fn shared() -> Result<Arc<Self>> {
        let mut shared = lock();
        if let Some(server) = shared.0.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(match std::env::var(POSTGRES_VARIABLE) {
            Ok(server) => {
                let url = format!("{}/postgres", server.trim_end_matches('/'));
                Self { url, programs: Programs::find()?, private: None }
            }
            Err(_) => Self::private()?,
        });
        shared.0 = Arc::downgrade(&server);
        Ok(server)
    }

    /// A server of one's own, to be stopped and killed at will.
    pub fn private() -> Result<Self> {
        let private = PrivatePostgres::start()?;
        Ok(Self { url: private.base_url(), programs: Programs::find()?, private: Some(private) })
    }

    /// Makes an empty database; returns its address.
    pub fn create_database(&self) -> Result<String> {
        self.programs.create_database(&self.url)
    }

    /// Drops a database of [`PostgresServer::create_database`].
    pub fn drop_database(&self, url: &str) -> Result<()> {
        self.programs.drop_database(&self.url, url)
    }

    /// Runs one SQL command in a database; returns its rows, columns parted by `|`.
    pub fn query(&self, url: &str, sql: &str) -> Result<String> {
        self.programs.query(url, sql)
    }

    /// The server, where it was started here.
    pub fn started(&self) -> Option<&PrivatePostgres> {
        self.private.as_ref()
    }

    /// The folder of the server's data files and write-ahead log, wherever it was started.
    pub fn data_dir(&self) -> Result<std::path::PathBuf> {
        Ok(self.query(&self.url, "SHOW data_directory")?.into())
    }
}

/// A Redis server, started here or running already.
#[derive(Debug)]
pub struct RedisServer {
    url: String,
    private: Option<Mutex<PrivateRedis>>,
}

impl RedisServer {
    /// The server that tests share.
    pub fn shared() -> Result<Arc<Self>> {
        let mut shared = lock();
        if let Some(server) = shared.1.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(match std::env::var(REDIS_VARIABLE) {
            Ok(url) => Self { url, private: None },
            Err(_) => Self::private()?,
        });
        shared.1 = Arc::downgrade(&server);
        Ok(server)
    }

    /// A server of one's own, to be frozen and killed at will.
    pub fn private() -> Result<Self> {
        let private = PrivateRedis::start()?;
        Ok(Self { url: private.url(), private: Some(Mutex::new(private)) })
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server, where it was started here.
    pub fn started(&self) -> Result<MutexGuard<'_, PrivateRedis>> {
        let private = self.private.as_ref().context("this Redis was not started here")?;
        Ok(private.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The two servers of the scaled way to run.
#[derive(Debug, Clone)]
pub struct Servers {
    /// PostgreSQL.
    pub postgres: Arc<PostgresServer>,
    /// Redis.
    pub redis: Arc<RedisServer>,
}

impl Servers {
    /// The servers that tests share.
    pub fn shared() -> Result<Self> {
        Ok(Self { postgres: PostgresServer::shared()?, redis: RedisServer::shared()? })
    }

    /// Servers of one's own, for what counts on their counters or takes them away.
    pub fn private() -> Result<Self> {
        Ok(Self {
            postgres: Arc::new(PostgresServer::private()?),
            redis: Arc::new(RedisServer::private()?),
        })
    }
}

fn lock() -> MutexGuard<'static, (Weak<PostgresServer>, Weak<RedisServer>)> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}
