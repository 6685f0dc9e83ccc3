//! What the sizing takes for granted beside the people and the costs: how messages fall out, and
//! what machines can do. Every number is a flag.

use anyhow::{Result, ensure};
use clap::Args;

/// How messages fall out.
#[derive(Debug, Clone, Copy, PartialEq, Args)]
pub struct Traffic {
    /// Receipts that are sent for a message, gathered ones counted once
    #[arg(long, default_value_t = 1.0)]
    pub receipts_per_message: f64,
    /// Devices of a user; a message has an envelope for each of the peer's and each other of its own
    #[arg(long, default_value_t = 1.5)]
    pub devices_per_user: f64,
    /// The part of the envelopes whose devices are away, so that they are stored
    #[arg(long, default_value_t = 0.5)]
    pub share_away: f64,
    /// The part of the sends in chats that their node must look up
    #[arg(long, default_value_t = 0.5)]
    pub share_looked_up: f64,
    /// Hours that a stored envelope waits
    #[arg(long, default_value_t = 4.0)]
    pub hours_stored: f64,
    /// Bytes of ciphertext of an envelope
    #[arg(long, default_value_t = 1_024.0)]
    pub envelope_bytes: f64,
    /// Users who are new on a day, as a part of those who come
    #[arg(long, default_value_t = 0.005)]
    pub share_new: f64,
    /// Users who are enrolled for each who comes on a day
    #[arg(long, default_value_t = 3.0)]
    pub enrolled_per_daily_user: f64,
    /// Chats of an enrolled user that are kept
    #[arg(long, default_value_t = 20.0)]
    pub chats_kept: f64,
    /// Bytes of the one-time prekeys of a device (100 of P-256 and 20 of ML-KEM), which the devices of the load do not publish
    #[arg(long, default_value_t = 60_000.0)]
    pub prekey_bytes: f64,
    /// Photos and videos that a user sends on a day
    #[arg(long, default_value_t = 3.0)]
    pub media_per_user: f64,
    /// KiB of one of them
    #[arg(long, default_value_t = 600.0)]
    pub media_kib: f64,
    /// Hours until all devices have fetched one
    #[arg(long, default_value_t = 24.0)]
    pub media_hours: f64,
}

/// What machines can do, and how much of that is used at the busiest.
#[derive(Debug, Clone, Copy, PartialEq, Args)]
pub struct Machines {
    /// The part of each resource that is used in the busiest minutes
    #[arg(long, default_value_t = 0.6)]
    pub utilisation: f64,
    /// Cores of a node
    #[arg(long, default_value_t = 8.0)]
    pub node_cores: f64,
    /// GiB of memory of a node
    #[arg(long, default_value_t = 16.0)]
    pub node_gib: f64,
    /// Connections of a node (`connections_max`)
    #[arg(long, default_value_t = 65_536.0)]
    pub node_connections: f64,
    /// Connections of a node to its database (`database_connections_max` and 5)
    #[arg(long, default_value_t = 21.0)]
    pub node_database_connections: f64,
    /// Cores of a PostgreSQL server
    #[arg(long, default_value_t = 32.0)]
    pub postgres_cores: f64,
    /// MB per second of write-ahead log that it can write and replicate
    #[arg(long, default_value_t = 200.0)]
    pub postgres_wal_mb: f64,
    /// Transactions per second that it can make durable
    #[arg(long, default_value_t = 20_000.0)]
    pub postgres_commits: f64,
    /// GB of its disk
    #[arg(long, default_value_t = 8_000.0)]
    pub postgres_disk_gb: f64,
    /// Connections that it can hold
    #[arg(long, default_value_t = 2_000.0)]
    pub postgres_connections: f64,
    /// Rows at a time of a partition of the table of envelopes
    #[arg(long, default_value_t = 20_000_000.0)]
    pub partition_rows: f64,
    /// Cores that a Redis shard can use
    #[arg(long, default_value_t = 1.0)]
    pub redis_cores: f64,
}

impl Traffic {
    /// Envelopes of a send.
    pub fn envelopes_per_send(&self) -> f64 {
        2.0 * self.devices_per_user - 1.0
    }

    /// Fails where a number cannot be, and says which.
    pub fn check(&self) -> Result<()> {
        let shares = [
            ("share-away", self.share_away),
            ("share-looked-up", self.share_looked_up),
            ("share-new", self.share_new),
        ];
        for (name, share) in shares {
            ensure!((0.0..=1.0).contains(&share), "--{name} must be from 0 to 1, and is {share}");
        }
        let counts = [
            ("receipts-per-message", self.receipts_per_message, 0.0),
            ("devices-per-user", self.devices_per_user, 1.0),
            ("hours-stored", self.hours_stored, 0.0),
            ("envelope-bytes", self.envelope_bytes, 16.0),
            ("enrolled-per-daily-user", self.enrolled_per_daily_user, 1.0),
            ("chats-kept", self.chats_kept, 0.0),
            ("prekey-bytes", self.prekey_bytes, 0.0),
            ("media-per-user", self.media_per_user, 0.0),
            ("media-kib", self.media_kib, 0.0),
            ("media-hours", self.media_hours, 0.0),
        ];
        for (name, value, least) in counts {
            ensure!(
                value.is_finite() && value >= least,
                "--{name} must be at least {least}, and is {value}"
            );
        }
        Ok(())
    }
}

impl Machines {
    /// Fails where a number cannot be, and says which.
    pub fn check(&self) -> Result<()> {
        let used = self.utilisation;
        ensure!(used > 0.0 && used <= 1.0, "--utilisation must be above 0 and at most 1: {used}");
        let sizes = [
            ("node-cores", self.node_cores),
            ("node-gib", self.node_gib),
            ("node-connections", self.node_connections),
            ("node-database-connections", self.node_database_connections),
            ("postgres-cores", self.postgres_cores),
            ("postgres-wal-mb", self.postgres_wal_mb),
            ("postgres-commits", self.postgres_commits),
            ("postgres-disk-gb", self.postgres_disk_gb),
            ("postgres-connections", self.postgres_connections),
            ("partition-rows", self.partition_rows),
            ("redis-cores", self.redis_cores),
        ];
        for (name, size) in sizes {
            ensure!(size.is_finite() && size > 0.0, "--{name} must be above 0, and is {size}");
        }
        Ok(())
    }
}
