//! What is loaded: a service that is started here, one that is running already, or the bare relay.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use plasma_testkit::{Cluster, ClusterKind, Node};
use serde::{Deserialize, Serialize};
use tonic::transport::{Channel, Endpoint};

use super::beneath::Beneath;
use super::options::{Options, StoreKind, TargetKind};
use super::progress::say;
use super::series::rate;
use crate::machine::resident;
use crate::population::Population;
use crate::relay::RelayProcess;
use crate::traffic::{Link, sign_in};

const CALL_MAX: Duration = Duration::from_secs(10);

/// What is loaded. What was started is ended when this is dropped.
#[derive(Debug)]
pub struct Target {
    running: Running,
    /// What the report calls it.
    pub name: String,
    /// Where it listens.
    pub nodes: Vec<SocketAddr>,
    operator_key: String,
    /// Where its users are kept; nowhere for a database that ends with the run.
    folder: Option<PathBuf>,
    /// Held so that no other run uses the folder.
    _lock: Option<File>,
}

#[derive(Debug)]
enum Running {
    Node(Box<Node>),
    Cluster(Box<Cluster>),
    Relay(RelayProcess),
    Elsewhere,
}

/// The keys of a node whose data is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Keys {
    operator_key: String,
    master_key: String,
}

impl Target {
    /// Starts what is asked for, or takes what is named.
    pub async fn start(options: &Options) -> Result<Self> {
        if !options.address.is_empty() {
            return Self::named(options);
        }
        match (options.target, options.store) {
            (TargetKind::Bare, _) => {
                let relay = RelayProcess::start().await?;
                let nodes = vec![relay.address()];
                Ok(Self::of(Running::Relay(relay), "bare relay".to_owned(), nodes))
            }
            (TargetKind::Plasma, StoreKind::Embedded) => Self::embedded(options).await,
            (TargetKind::Plasma, StoreKind::Postgres) => Self::cluster(options.nodes.into()).await,
        }
    }

    fn of(running: Running, name: String, nodes: Vec<SocketAddr>) -> Self {
        Self { running, name, nodes, operator_key: String::new(), folder: None, _lock: None }
    }

    fn named(options: &Options) -> Result<Self> {
        let key = options.operator_key.clone().context(
            "--address needs the service's operator key in PLASMA_LOAD_OPERATOR_KEY, to set up \
             platforms for its users",
        )?;
        let names: Vec<String> = options.address.iter().map(ToString::to_string).collect();
        let name = names.join("_").replace([':', '.', '[', ']'], "-");
        let folder = options.data.join(name);
        let lock = lock(&folder)?;
        let running = Self::of(Running::Elsewhere, names.join(", "), options.address.clone());
        Ok(Self { operator_key: key, folder: Some(folder), _lock: Some(lock), ..running })
    }

    async fn embedded(options: &Options) -> Result<Self> {
        let folder = options.data.join("embedded");
        let lock = lock(&folder)?;
        let keys = keys(&folder)?;
        say("starting `plasma serve` on its embedded default");
        // Variables of the builder go before the fresh keys that it has.
        let node = Node::builder()
            .data_dir(fs::canonicalize(&folder)?.join("node"))
            .env("PLASMA_OPERATOR_KEY", &keys.operator_key)
            .env("PLASMA_MASTER_KEY", &keys.master_key)
            .unlimited_rates()
            .start()
            .await?;
        let nodes = vec![address(&node)];
        let running = Self::of(Running::Node(Box::new(node)), "embedded".to_owned(), nodes);
        let operator_key = keys.operator_key;
        Ok(Self { operator_key, folder: Some(folder), _lock: Some(lock), ..running })
    }

    async fn cluster(count: usize) -> Result<Self> {
        say(format!("starting {count} nodes on private PostgreSQL and Redis servers"));
        let cluster = Cluster::builder(ClusterKind::Scaled).nodes(count).private_servers();
        let cluster = cluster.unlimited_rates().start().await?;
        let nodes = cluster.nodes().iter().map(address).collect();
        let operator_key = cluster.operator_key().to_owned();
        let name = format!("{count} nodes on PostgreSQL and Redis");
        let running = Self::of(Running::Cluster(Box::new(cluster)), name, nodes);
        Ok(Self { operator_key, ..running })
    }

    /// Whether this is the bare relay.
    pub fn is_bare(&self) -> bool {
        matches!(self.running, Running::Relay(_))
    }

    /// The processes whose CPU and memory can be read.
    pub fn processes(&self) -> Vec<u32> {
        match &self.running {
            Running::Node(node) => vec![node.pid()],
            Running::Cluster(cluster) => cluster.nodes().iter().map(Node::pid).collect(),
            Running::Relay(relay) => vec![relay.pid()],
            Running::Elsewhere => Vec::new(),
        }
    }

    /// What the nodes stand on, where it was started here and can be measured.
    pub fn beneath(&self) -> Result<Option<Beneath>> {
        match &self.running {
            Running::Cluster(cluster) => Beneath::of(cluster),
            Running::Node(_) | Running::Relay(_) | Running::Elsewhere => Ok(None),
        }
    }

    /// Memory of the nodes that is in RAM, in KiB.
    pub fn resident_kib(&self) -> f64 {
        let bytes = self.processes().into_iter().filter_map(|pid| resident(pid).ok());
        rate(bytes.sum(), 1_024.0)
    }

    /// Bytes of the envelopes that wait, indexes included; of a file, all of it.
    pub fn envelopes_bytes(&self) -> Result<f64> {
        let bytes = match (&self.running, self.beneath()?) {
            (_, Some(beneath)) => {
                beneath.query("SELECT pg_total_relation_size('envelopes')")?.parse()?
            }
            (Running::Node(node), None) => {
                let mut bytes = 0;
                for file in fs::read_dir(node.data_dir())? {
                    bytes += file?.metadata()?.len();
                }
                bytes
            }
            (Running::Cluster(_) | Running::Relay(_) | Running::Elsewhere, None) => {
                anyhow::bail!("only a store that is started here can be measured")
            }
        };
        Ok(rate(bytes, 1.0))
    }

    /// A channel to the first node.
    pub fn channel(&self) -> Result<Channel> {
        let first = self.nodes.first().context("a node")?;
        Ok(Endpoint::from_shared(format!("http://{first}"))?.tcp_nodelay(true).connect_lazy())
    }

    /// The addresses that the Rust client calls.
    pub fn endpoints(&self) -> Vec<String> {
        self.nodes.iter().map(|node| format!("http://{node}")).collect()
    }

    /// The operator key.
    pub fn operator_key(&self) -> &str {
        &self.operator_key
    }

    /// Users that are enrolled: those of earlier runs where there are enough, else new ones.
    pub async fn population(&self, count: usize) -> Result<Population> {
        let path = self.folder.as_ref().map(|folder| folder.join("identities.json"));
        if let Some(path) = &path
            && let Some(kept) = Population::load(path)?
        {
            self.check(&kept).await?;
            if kept.len() >= count {
                say(format!("{count} of the {} users of earlier runs", kept.len()));
                return Ok(kept.first(count));
            }
        }
        say(format!("enrolling {count} users with a device and a chat each"));
        let begun = std::time::Instant::now();
        let progress = |there: usize| {
            if there.is_multiple_of(1_000) {
                say(format!("{there} users enrolled after {:.0} s", begun.elapsed().as_secs_f64()));
            }
        };
        let channel = self.channel()?;
        let enrolled = Population::enroll(&channel, &self.operator_key, count, progress)
            .await
            .context("enroll the users of the load")?;
        say(format!("{count} users enrolled in {:.1} s", begun.elapsed().as_secs_f64()));
        if let Some(path) = &path {
            enrolled.save(path)?;
        }
        Ok(enrolled)
    }

    /// Whether the service knows users of an earlier run.
    async fn check(&self, kept: &Population) -> Result<()> {
        let (Some(identity), Some(node)) = (kept.identities().first(), self.nodes.first()) else {
            return Ok(());
        };
        let link = Link::open(*node, CALL_MAX).await?;
        sign_in(identity, &link, CALL_MAX).await.with_context(|| {
            let folder = self.folder.clone().unwrap_or_default();
            format!(
                "the service does not know the users in {}; delete that folder, or name another \
                 one with --data",
                folder.display()
            )
        })?;
        Ok(())
    }
}

fn address(node: &Node) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], node.port()))
}

/// Makes a folder this run's alone.
fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let lock = File::create(folder.join("lock"))?;
    ensure!(
        lock.try_lock().is_ok(),
        "{} is in use by another run; name another folder with --data",
        folder.display()
    );
    Ok(lock)
}

/// The keys that the data in a folder belong to.
fn keys(folder: &Path) -> Result<Keys> {
    let path = folder.join("keys.json");
    if path.exists() {
        return serde_json::from_slice(&fs::read(&path)?)
            .with_context(|| format!("{} is not readable", path.display()));
    }
    let keys = Keys {
        operator_key: plasma_testkit::secret::operator_key(),
        master_key: plasma_testkit::secret::master_key(),
    };
    fs::write(&path, serde_json::to_vec(&keys)?)?;
    Ok(keys)
}
