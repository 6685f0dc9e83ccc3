//! What nodes stand on, where the load started it: the CPU of PostgreSQL and of Redis, what
//! PostgreSQL wrote to its log, and how much each was asked for.
//!
//! The counters are exact at the moment at which they are read: the position of the write-ahead log,
//! the next transaction id, which only transactions that write take, and the commands that Redis has
//! processed. Reading them costs the servers something, so that CPU is read inside of the counters.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use plasma_testkit::{Cluster, PrivatePostgres, Servers, resp};
use serde::Serialize;

use crate::machine::{Whose, children, cpu_ticks, of_ticks};

const REDIS_WAIT_MAX: Duration = Duration::from_secs(5);
const COUNTERS: &str =
    "SELECT pg_current_wal_lsn() - '0/0', pg_snapshot_xmax(pg_current_snapshot())";
/// Readings of processes of which one ends each time.
const READINGS_MAX: u32 = 10;
/// The commands of one reading of the counters, which are not the service's.
const OWN_COMMANDS: u64 = 1;

/// The servers beneath the nodes of a cluster of one's own.
#[derive(Debug, Clone)]
pub struct Beneath {
    servers: Servers,
    database: String,
    postgres: u32,
    redis: u32,
    redis_address: SocketAddr,
}

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct UsedBeneath {
    /// User and system time of all processes of PostgreSQL.
    pub postgres_cpu_seconds: f64,
    /// User and system time of Redis.
    pub redis_cpu_seconds: f64,
    /// Bytes that PostgreSQL wrote to its write-ahead log.
    pub wal_bytes: u64,
    /// Transactions that wrote.
    pub write_transactions: u64,
    /// Commands that Redis processed.
    pub redis_commands: u64,
}

/// Counters at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counters {
    wal_bytes: u64,
    write_transactions: u64,
    redis_commands: u64,
}

/// CPU at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cpu {
    postgres: Duration,
    redis: Duration,
}

impl Beneath {
    /// What a cluster stands on; `None` where that is a file, or servers of others.
    pub fn of(cluster: &Cluster) -> Result<Option<Self>> {
        let Some(database) = cluster.database_url() else { return Ok(None) };
        let servers = cluster.servers()?.clone();
        let Some(postgres) = servers.postgres.started().map(PrivatePostgres::pid) else {
            return Ok(None);
        };
        let redis = servers.redis.started()?.pid();
        let redis_address = resp::address(servers.redis.url())?;
        Ok(Some(Self { servers, database: database.to_owned(), postgres, redis, redis_address }))
    }

    /// Runs one SQL command in the service's database; returns its rows.
    pub fn query(&self, sql: &str) -> Result<String> {
        self.servers.postgres.query(&self.database, sql)
    }

    pub(super) fn counters(&self) -> Result<Counters> {
        let row = self.query(COUNTERS)?;
        let (wal, transactions) = row.split_once('|').context("two counters of PostgreSQL")?;
        let info = resp::call(self.redis_address, &["INFO", "stats"], REDIS_WAIT_MAX)?;
        let commands = info.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
        Ok(Counters {
            wal_bytes: wal.parse().context("a position in the write-ahead log")?,
            write_transactions: transactions.parse().context("a transaction id")?,
            redis_commands: commands.context("the commands of Redis")?.trim().parse()?,
        })
    }

    pub(super) fn cpu(&self) -> Result<Cpu> {
        Ok(Cpu { postgres: cpu_of_tree(self.postgres)?, redis: cpu_of_tree(self.redis)? })
    }
}

impl UsedBeneath {
    pub(super) fn between(cpu: [Cpu; 2], counters: [Counters; 2]) -> Self {
        let spent = |of: fn(Cpu) -> Duration| of(cpu[1]).saturating_sub(of(cpu[0])).as_secs_f64();
        let more = |of: fn(Counters) -> u64| of(counters[1]).saturating_sub(of(counters[0]));
        Self {
            postgres_cpu_seconds: spent(|cpu| cpu.postgres),
            redis_cpu_seconds: spent(|cpu| cpu.redis),
            wal_bytes: more(|counters| counters.wal_bytes),
            write_transactions: more(|counters| counters.write_transactions),
            redis_commands: more(|counters| counters.redis_commands).saturating_sub(OWN_COMMANDS),
        }
    }
}

/// The CPU time of a process, of what it started and still runs, and of what has ended. Reads again
/// where a child ends meanwhile, which would count twice or not at all.
fn cpu_of_tree(pid: u32) -> Result<Duration> {
    let mut read = read_tree(pid)?;
    for _ in 0..READINGS_MAX {
        let again = read_tree(pid)?;
        if read.is_whole && read.ended == again.ended {
            break;
        }
        read = again;
    }
    Ok(read.cpu)
}

/// One reading of a process and its children.
struct Tree {
    cpu: Duration,
    ended: u64,
    /// Whether no child ended between its listing and its reading.
    is_whole: bool,
}

fn read_tree(pid: u32) -> Result<Tree> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
        .with_context(|| format!("the process {pid} is gone"))?;
    let own = cpu_ticks(&stat, Whose::Own).zip(cpu_ticks(&stat, Whose::Ended));
    let (own, ended) = own.with_context(|| format!("read /proc/{pid}/stat"))?;
    let (mut cpu, mut is_whole) = (of_ticks(own + ended), true);
    for child in children(pid)? {
        // Of a process with one thread the scheduler knows the nanoseconds, where `stat` has
        // hundredths of a second.
        let schedstat = fs::read_to_string(format!("/proc/{child}/schedstat")).unwrap_or_default();
        let ran = schedstat.split(' ').next().and_then(|field| field.parse().ok());
        is_whole &= ran.is_some();
        cpu += Duration::from_nanos(ran.unwrap_or_default());
    }
    Ok(Tree { cpu, ended, is_whole })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::cpu_of_tree;

    #[test]
    fn work_of_a_child_is_counted_while_it_runs_and_after_it_has_ended() {
        // A shell whose child works: first counted as running, later as ended.
        let script = "(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done) & wait; sleep 60";
        let mut shell = Command::new("sh").args(["-c", script]).spawn().unwrap();
        let worked = |at_least: Duration| {
            for _ in 0..1_000 {
                if cpu_of_tree(shell.id()).unwrap() >= at_least {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            false
        };
        let has_worked = worked(Duration::from_millis(50));
        let mut seen = Vec::new();
        for _ in 0..50 {
            seen.push(cpu_of_tree(shell.id()).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        for child in crate::machine::children(shell.id()).unwrap() {
            plasma_testkit::process::send(child, plasma_testkit::process::Signal::KILL).unwrap();
        }
        shell.kill().unwrap();
        shell.wait().unwrap();
        assert!(has_worked, "{seen:?}");
        // What a process had used is not lost with it, but for the hundredth that `stat` leaves out.
        let lost = seen.windows(2).map(|pair| pair[0].saturating_sub(pair[1])).max().unwrap();
        assert!(lost <= Duration::from_millis(20), "{seen:?}");
    }
}
