//! A fresh, empty database of either kind, for the test of a store.

use std::sync::Arc;

use anyhow::Result;
use tempfile::TempDir;

use crate::servers::PostgresServer;

/// An empty database; gone when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(#[expect(dead_code, reason = "held until the database is dropped")] TempDir),
    Server(Arc<PostgresServer>),
}

impl TestDatabase {
    /// An SQLite file in a temporary folder; the file comes into being when it is first opened.
    pub fn sqlite() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("plasma-sqlite-").tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("plasma.db").display());
        Ok(Self { url, place: Place::File(folder) })
    }

    /// A database of the PostgreSQL server that tests share.
    pub fn postgres() -> Result<Self> {
        Self::on(PostgresServer::shared()?)
    }

    /// A database of a PostgreSQL server.
    pub fn on(server: Arc<PostgresServer>) -> Result<Self> {
        Ok(Self { url: server.create_database()?, place: Place::Server(server) })
    }

    /// One database of each kind, for a test that must hold on both.
    pub fn both() -> Result<[Self; 2]> {
        Ok([Self::sqlite()?, Self::postgres()?])
    }

    /// The database's address, as `PLASMA_DATABASE_URL` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Place::Server(server) = &self.place {
            // A server that is gone took its databases with it.
            let _ = server.drop_database(&self.url);
        }
    }
}
