//! What runs out first, and how many cells of nodes, PostgreSQL and Redis a number of users takes.

use anyhow::Result;

use super::assumptions::Machines;
use super::demand::{Demand, Premises};

/// More users than there are people.
const USERS_MAX: f64 = 1e11;
const MICROS: f64 = 1e6;

/// Something that runs out where there is one PostgreSQL and one Redis. Nodes do not, but for what
/// each of them does for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// CPU of PostgreSQL.
    PostgresCpu,
    /// Its write-ahead log.
    PostgresLog,
    /// Its commits.
    PostgresCommits,
    /// Its disk.
    PostgresDisk,
    /// Its connections.
    PostgresConnections,
    /// CPU of Redis.
    RedisCpu,
    /// CPU of each node, for sweeping what all nodes stored.
    Sweeps,
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::PostgresCpu,
        Self::PostgresLog,
        Self::PostgresCommits,
        Self::PostgresDisk,
        Self::PostgresConnections,
        Self::RedisCpu,
        Self::Sweeps,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PostgresCpu => "CPU of PostgreSQL",
            Self::PostgresLog => "write-ahead log of PostgreSQL",
            Self::PostgresCommits => "commits of PostgreSQL",
            Self::PostgresDisk => "disk of PostgreSQL",
            Self::PostgresConnections => "connections of PostgreSQL",
            Self::RedisCpu => "CPU of Redis",
            Self::Sweeps => "CPU of a node, for sweeps",
        }
    }

    /// What is done about it.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::PostgresCpu | Self::PostgresLog | Self::PostgresCommits => {
                "tenants placed on several databases (cells)"
            }
            Self::PostgresDisk => "envelope table in partitions; tenants placed (cells)",
            Self::PostgresConnections => "a pooler, or fewer connections a node; then cells",
            Self::RedisCpu => "Redis Cluster: channels are sharded already (SPUBLISH)",
            Self::Sweeps => "cells: a node sweeps the database of its own cell alone",
        }
    }

    /// Whether a second database brings as much again of it.
    const fn is_of_cell(self) -> bool {
        !matches!(self, Self::RedisCpu)
    }

    /// The part of it that a demand uses.
    pub fn used(self, demand: &Demand, machines: &Machines) -> f64 {
        let second = &demand.second;
        match self {
            Self::PostgresCpu => second.postgres_micros / MICROS / machines.postgres_cores,
            Self::PostgresLog => second.wal_bytes / 1e6 / machines.postgres_wal_mb,
            Self::PostgresCommits => second.write_transactions / machines.postgres_commits,
            Self::PostgresDisk => {
                (demand.kept.waiting_gb + demand.kept.accounts_gb) / machines.postgres_disk_gb
            }
            Self::PostgresConnections => {
                demand.nodes.all * machines.node_database_connections
                    / machines.postgres_connections
            }
            Self::RedisCpu => second.redis_micros / MICROS / machines.redis_cores,
            Self::Sweeps if demand.nodes.by_cpu.is_finite() => 0.0,
            Self::Sweeps => f64::INFINITY,
        }
    }
}

/// What users need, spread over cells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizing {
    /// Users in all.
    pub users: f64,
    /// Cells: a database with its nodes and its Redis.
    pub cells: f64,
    /// What a cell needs.
    pub cell: Demand,
    /// Redis shards of a cell.
    pub redis_shards: f64,
    /// Partitions of a cell's table of envelopes.
    pub partitions: f64,
}

impl Premises<'_> {
    /// The most users at which a resource is used as much as it may be; none where it never is.
    pub fn capacity(&self, resource: Resource) -> Result<Option<f64>> {
        let fits = |users: f64| -> Result<bool> {
            let demand = self.demand(users)?;
            Ok(resource.used(&demand, self.machines) <= self.machines.utilisation)
        };
        if fits(USERS_MAX)? {
            return Ok(None);
        }
        let (mut low, mut high) = (0.0_f64, USERS_MAX.ln());
        if !fits(1.0)? {
            return Ok(Some(0.0));
        }
        while high - low > 1e-6 {
            let middle = f64::midpoint(low, high);
            if fits(middle.exp())? { low = middle } else { high = middle }
        }
        Ok(Some(low.exp()))
    }

    /// What runs out with one PostgreSQL and one Redis, first things first.
    pub fn bottlenecks(&self) -> Result<Vec<(Resource, f64)>> {
        let mut found = Vec::new();
        for resource in Resource::ALL {
            if let Some(users) = self.capacity(resource)? {
                found.push((resource, users));
            }
        }
        found.sort_by(|one, other| one.1.total_cmp(&other.1));
        Ok(found)
    }

    /// What so many users need, in as few cells as carry them.
    pub fn size(&self, users: f64) -> Result<Sizing> {
        let of_cell = self.bottlenecks()?.into_iter().filter(|(it, _)| it.is_of_cell());
        let most = of_cell.map(|(_, users)| users).fold(f64::INFINITY, f64::min);
        anyhow::ensure!(
            most >= 1.0,
            "not even one user fits on a database of this kind: look at the flags of machines"
        );
        let cells = (users / most).ceil().max(1.0);
        let cell = self.demand(users / cells)?;
        let machines = self.machines;
        let redis = Resource::RedisCpu.used(&cell, machines) / machines.utilisation;
        Ok(Sizing {
            users,
            cells,
            cell,
            redis_shards: redis.ceil().max(1.0),
            partitions: (cell.kept.waiting / machines.partition_rows).ceil().max(1.0),
        })
    }
}
