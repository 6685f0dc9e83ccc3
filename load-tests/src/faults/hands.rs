//! Does to real processes and lines what a schedule says, and tells when.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use plasma_testkit::{Cluster, Line, Servers};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::schedule::{Fault, Lane};

/// A drain and the end of the process after it.
const DRAIN_MAX: Duration = Duration::from_secs(40);
/// A node starts only while its store is there.
const START_MAX: Duration = Duration::from_mins(1);
const START_RETRY: Duration = Duration::from_millis(100);
/// Bytes a second that a slow reader takes: a few messages.
const SLOW_READING: u64 = 8_000;

/// What has been done, and since when one counts.
#[derive(Debug)]
pub struct Hands {
    begun: Instant,
    done: Mutex<BTreeMap<&'static str, u32>>,
}

impl Hands {
    /// Begins to count now.
    pub fn new() -> Self {
        Self { begun: Instant::now(), done: Mutex::default() }
    }

    /// How often each kind of fault was done.
    pub fn done(&self) -> BTreeMap<&'static str, u32> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Prints with the time.
    pub fn tell(&self, what: &dyn std::fmt::Display) {
        println!("[{:7.1} s] {what}", self.begun.elapsed().as_secs_f64());
    }

    /// Plays both lanes until `stop`; everything runs again when this returns.
    pub async fn play(
        &self,
        seed: u64,
        cluster: &mut Cluster,
        weak: &Line,
        stop: &CancellationToken,
    ) -> Result<()> {
        let servers = cluster.servers().ok().cloned();
        let mut to_nodes = Lane::nodes(seed, cluster.nodes().len());
        let mut weather = Lane::weather(seed, cluster.kind());
        let nodes = async {
            while let Some(fault) = next(&mut to_nodes, stop).await {
                self.note(fault);
                do_to_nodes(fault, cluster).await.with_context(|| fault.to_string())?;
            }
            anyhow::Ok(())
        };
        let around = async {
            while let Some(fault) = next(&mut weather, stop).await {
                self.note(fault);
                do_around(fault, servers.as_ref(), weak)
                    .await
                    .with_context(|| fault.to_string())?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(nodes, around)?;
        Ok(())
    }

    fn note(&self, fault: Fault) {
        self.tell(&fault);
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done.entry(fault.kind()).or_default() += 1;
    }
}

impl Default for Hands {
    fn default() -> Self {
        Self::new()
    }
}

async fn next(lane: &mut Lane, stop: &CancellationToken) -> Option<Fault> {
    let (pause, fault) = lane.draw();
    tokio::select! {
        () = stop.cancelled() => None,
        () = tokio::time::sleep(pause) => Some(fault),
    }
}

async fn do_to_nodes(fault: Fault, cluster: &mut Cluster) -> Result<()> {
    let node = match fault {
        Fault::KillNode(node) => &mut cluster.nodes_mut()[node],
        Fault::DrainNode(node) => {
            let node = &mut cluster.nodes_mut()[node];
            node.terminate(DRAIN_MAX).await?;
            node
        }
        other => bail!("not a fault of nodes: {other}"),
    };
    let deadline = Instant::now() + START_MAX;
    loop {
        match node.restart().await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => tokio::time::sleep(START_RETRY).await,
        }
    }
}

async fn do_around(fault: Fault, servers: Option<&Servers>, weak: &Line) -> Result<()> {
    match fault {
        Fault::KillRedis(down) => {
            let redis = Arc::clone(&servers.context("servers")?.redis);
            let server = Arc::clone(&redis);
            spawn_blocking(move || server.started()?.kill()).await??;
            tokio::time::sleep(down).await;
            spawn_blocking(move || redis.started()?.restart()).await?
        }
        Fault::FreezeRedis(frozen) => {
            let redis = &servers.context("servers")?.redis;
            redis.started()?.freeze()?;
            tokio::time::sleep(frozen).await;
            redis.started()?.thaw()
        }
        Fault::CrashPostgres(down) => {
            let postgres = Arc::clone(&servers.context("servers")?.postgres);
            let server = Arc::clone(&postgres);
            let crash = move || server.started().context("a server of one's own")?.crash();
            spawn_blocking(crash).await??;
            tokio::time::sleep(down).await;
            let restart = move || postgres.started().context("a server of one's own")?.restart();
            spawn_blocking(restart).await?
        }
        Fault::SlowReaders(slow) => {
            weak.limit(Some(SLOW_READING));
            tokio::time::sleep(slow).await;
            weak.limit(None);
            Ok(())
        }
        Fault::StrandReaders => {
            weak.strand();
            Ok(())
        }
        other => bail!("not a fault around nodes: {other}"),
    }
}
