//! The service starts, the way an operator starts it.

use anyhow::{Context, Result};
use plasma_client::Endpoint;
use plasma_testkit::{Cluster, ClusterKind, Stores};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::transcript::Transcript;

/// The running service, and where the devices of the story keep their memory.
#[derive(Debug)]
pub struct Stage {
    /// The service.
    pub cluster: Cluster,
    /// Looks at the stores from outside.
    pub stores: Stores,
    /// Folder of the devices' databases: outside what the service writes.
    pub devices: TempDir,
}

/// Starts the servers and waits until they serve.
pub async fn start(transcript: &mut Transcript, kind: ClusterKind) -> Result<Stage> {
    transcript.chapter("The service starts");
    match kind {
        ClusterKind::Embedded => {
            transcript.step("starting one `plasma serve` on SQLite and the in-process bus …");
        }
        ClusterKind::Scaled => {
            transcript
                .step("starting private PostgreSQL and Redis servers, then two `plasma serve` …");
        }
    }
    // A platform's own wallet is a process on this machine in a later chapter.
    let cluster = Cluster::builder(kind).env("PLASMA_WALLET_PROVIDER_LOOPBACK", "true");
    let cluster = cluster.private_servers().start().await?;
    for (index, node) in cluster.nodes().iter().enumerate() {
        transcript.detail(
            &format!("node {}", index + 1),
            format!("{} (process {}), serving", node.endpoint(), node.pid()),
        );
    }
    let stores = cluster.stores()?;
    let devices = tempfile::Builder::new().prefix("plasma-devices-").tempdir()?;
    Ok(Stage { cluster, stores, devices })
}

impl Stage {
    /// Where a device connects: Ann's side to the first node, Bob's to the second where there is one.
    pub fn endpoint(&self, node: usize) -> Endpoint {
        Endpoint::new(self.cluster.node(node).endpoint())
    }

    /// Counts the envelopes that the service holds, in its database and not through it.
    pub fn envelopes(&self) -> Result<i64> {
        const COUNT: &str = "SELECT count(*) FROM envelopes";
        if let Some(url) = self.cluster.database_url() {
            let rows = self.cluster.servers()?.postgres.query(url, COUNT)?;
            return rows.trim().parse().context("a count");
        }
        let file = self.sqlite_file();
        let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(database.query_row(COUNT, [], |row| row.get(0))?)
    }

    /// Writes a text into a table of its own in the service's database.
    pub fn plant(&self, text: &str) -> Result<()> {
        let create = "CREATE TABLE planted_marker (content TEXT)";
        let insert = format!("INSERT INTO planted_marker (content) VALUES ('{text}')");
        self.change(create)?;
        self.change(&insert)
    }

    /// Changes the service's database, past the service.
    pub fn change(&self, sql: &str) -> Result<()> {
        if let Some(url) = self.cluster.database_url() {
            self.cluster.servers()?.postgres.query(url, sql)?;
            return Ok(());
        }
        let database = Connection::open(self.sqlite_file())?;
        database.busy_timeout(crate::person::SOON)?;
        database.execute(sql, [])?;
        Ok(())
    }

    /// The file of the embedded database.
    pub fn sqlite_file(&self) -> std::path::PathBuf {
        self.cluster.node(0).data_dir().join("plasma.db")
    }
}
