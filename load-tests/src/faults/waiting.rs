//! How many envelopes wait in the store, as the store itself says.

use anyhow::{Context, Result};
use plasma_testkit::Cluster;
use rusqlite::{Connection, OpenFlags};

const COUNT: &str = "SELECT count(*) FROM envelopes";

/// Counts the envelopes of every device.
pub fn count(cluster: &Cluster) -> Result<u64> {
    if let Some(url) = cluster.database_url() {
        return cluster.servers()?.postgres.query(url, COUNT)?.parse().context("a count");
    }
    let file = cluster.node(0).data_dir().join("plasma.db");
    let database = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let count: i64 = database.query_row(COUNT, [], |row| row.get(0))?;
    Ok(u64::try_from(count)?)
}
