//! Runs a cluster to develop against: three nodes on one machine with private PostgreSQL and Redis
//! servers, all on loopback. `NODES` says how many nodes, `PORT` where the first listens (each
//! further has the next port), the argument in which folder files and logs are kept.
//!
//! Ctrl-C (SIGINT), SIGTERM and SIGHUP end everything: the nodes drain first, then the servers
//! end. A second one waits for nobody.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use plasma_testkit::process::keep_apart_from_terminal;
use plasma_testkit::{Cluster, ClusterKind, Signals};

const NODES: usize = 3;
/// What one machine and one PostgreSQL server of ours carry: 20 connections a node.
const NODES_MAX: usize = 12;
const PORT: u16 = 7001;
/// How long the nodes may drain: longer than they take by themselves.
const DRAIN_MAX: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let mut words = std::env::args_os().skip(1);
    let (Some(folder), None) = (words.next(), words.next()) else {
        bail!("name the folder for files and logs: plasma-cluster <folder>");
    };
    let nodes = setting("NODES", NODES)?;
    ensure!((1..=NODES_MAX).contains(&nodes), "NODES must be 1 to {NODES_MAX}");
    let port = setting("PORT", PORT)?;
    let folder = emptied(PathBuf::from(folder))?;

    // From here on a signal ends this program in order, so that nothing is left behind.
    let mut signals = Signals::listen()?;
    keep_apart_from_terminal();
    let begun = Instant::now();
    eprintln!("starting PostgreSQL, Redis and {nodes} nodes");
    let start = Cluster::builder(ClusterKind::Scaled)
        .private_servers()
        .nodes(nodes)
        .first_port(port)
        .folder(folder)
        .progress(|step| eprintln!("  {step}"))
        .start();
    let mut cluster = tokio::select! {
        started = start => started?,
        _ = signals.next() => {
            eprintln!("stopped before everything was up");
            return Ok(ExitCode::FAILURE);
        }
    };
    eprintln!("ready after {:.1?}\n", begun.elapsed());
    describe(&cluster)?;

    tokio::select! {
        _ = signals.next() => {}
        error = watch(&mut cluster) => return Err(error),
    }
    eprintln!("stopping: the nodes drain, then the servers end; once more to wait for nobody");
    tokio::select! {
        drained = cluster.terminate(DRAIN_MAX) => drained?,
        _ = signals.next() => eprintln!("not waiting"),
    }
    drop(cluster);
    eprintln!("everything has ended");
    Ok(ExitCode::SUCCESS)
}

/// Reads a number from the environment; empty counts as unset, as make hands it on.
fn setting<T: std::str::FromStr>(name: &str, default: T) -> Result<T> {
    match std::env::var(name).ok().filter(|text| !text.is_empty()) {
        None => Ok(default),
        Some(text) => text.parse().ok().with_context(|| format!("{name}={text} is no number")),
    }
}

/// The folder, without what an earlier run left in it.
fn emptied(folder: PathBuf) -> Result<PathBuf> {
    let folder = std::path::absolute(folder)?;
    for number in 1..=NODES_MAX {
        let old = folder.join(format!("node-{number}"));
        if old.exists() {
            std::fs::remove_dir_all(&old).with_context(|| format!("empty {}", old.display()))?;
        }
    }
    Ok(folder)
}

fn describe(cluster: &Cluster) -> Result<()> {
    for node in cluster.nodes() {
        println!("address       {}   log {}", node.endpoint(), node.log_path().display());
    }
    println!("operator key  {}", cluster.operator_key());
    println!("PostgreSQL    {}", cluster.database_url().unwrap_or_default());
    println!("Redis         {}", cluster.servers()?.redis.url());
    println!("stop          Ctrl-C\n");
    Ok(())
}

/// Waits until a node has ended by itself, and says which.
async fn watch(cluster: &mut Cluster) -> anyhow::Error {
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        for node in cluster.nodes_mut() {
            match node.is_running() {
                Ok(true) => {}
                Ok(false) => {
                    let (address, log) = (node.endpoint(), node.log_path().display());
                    return anyhow::anyhow!("the node on {address} has ended by itself; see {log}");
                }
                Err(error) => return error,
            }
        }
    }
}
