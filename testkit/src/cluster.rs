//! The two ways to run the service, as a test or the demo starts them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::database::TestDatabase;
use crate::node::{Node, NodeBuilder};
use crate::process;
use crate::servers::Servers;
use crate::stores::Stores;

/// Which way to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterKind {
    /// One node on SQLite and the in-process bus.
    Embedded,
    /// Nodes on PostgreSQL and Redis: two, or as many as [`ClusterBuilder::nodes`] says.
    Scaled,
}

impl ClusterKind {
    /// Both ways, for a test that must hold on both.
    pub const BOTH: [Self; 2] = [Self::Embedded, Self::Scaled];

    fn node_count(self) -> usize {
        match self {
            Self::Embedded => 1,
            Self::Scaled => 2,
        }
    }
}

/// How to start a cluster.
#[derive(Debug)]
pub struct ClusterBuilder {
    kind: ClusterKind,
    node_count: usize,
    private_servers: bool,
    first_port: Option<u16>,
    folder: Option<PathBuf>,
    progress: fn(&str),
    node: NodeBuilder,
}

impl ClusterBuilder {
    /// How many nodes. The embedded kind is always one.
    #[must_use]
    pub fn nodes(mut self, count: usize) -> Self {
        if self.kind == ClusterKind::Scaled {
            self.node_count = count;
        }
        self
    }

    /// The port of the first node; each further node has the next. Free ones where unset.
    #[must_use]
    pub fn first_port(mut self, port: u16) -> Self {
        self.first_port = Some(port);
        self
    }

    /// Where the nodes keep files and logs, which stay there; a temporary folder where unset.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Is told of each step of the start once it is done, in words for a person.
    #[must_use]
    pub fn progress(mut self, tell: fn(&str)) -> Self {
        self.progress = tell;
        self
    }

    /// Starts PostgreSQL and Redis servers for this cluster alone, so that they can be counted on
    /// and taken away. Without effect on the embedded kind.
    #[must_use]
    pub fn private_servers(mut self) -> Self {
        self.private_servers = true;
        self
    }

    /// Takes away the rates of devices and tenants, for whoever calls faster than people do.
    #[must_use]
    pub fn unlimited_rates(mut self) -> Self {
        self.node = self.node.unlimited_rates();
        self
    }

    /// Runs another program than `plasma` as every node.
    #[must_use]
    pub fn program(mut self, program: impl Into<std::path::PathBuf>) -> Self {
        self.node = self.node.program(program);
        self
    }

    /// One more environment variable of every node.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.node = self.node.env(name, value);
        self
    }

    /// Starts the servers, a fresh database and the nodes.
    pub async fn start(self) -> Result<Cluster> {
        ensure!(self.node_count >= 1, "a cluster has at least one node");
        let (private, kind, folder) = (self.private_servers, self.kind, self.folder);
        // Starting servers takes a second or two of waiting for processes.
        let start = move || Backing::start(kind, private, folder);
        let backing = tokio::task::spawn_blocking(start).await??;
        let mut config = self.node;
        if let Some(scaled) = &backing.scaled {
            config =
                config.database_url(scaled.database.url()).redis_url(scaled.servers.redis.url());
            (self.progress)("PostgreSQL and Redis are up");
        }
        let mut nodes: Vec<Node> = Vec::new();
        for number in 1..=self.node_count {
            let folder = backing.folder.path().join(format!("node-{number}"));
            let mut config = config.clone().data_dir(folder);
            if let Some(first) = nodes.first() {
                config = config.public_url(first.endpoint());
            }
            if let Some(port) = self.first_port {
                let further = u16::try_from(number - 1)?;
                config = config.port(port.checked_add(further).context("there is no such port")?);
            }
            let node = config.start().await.with_context(|| format!("node {number}"))?;
            (self.progress)(&format!("node {number} serves on {}", node.endpoint()));
            nodes.push(node);
        }
        Ok(Cluster { nodes, kind, config, backing })
    }
}

/// A running service: its nodes, and what they stand on. Ended when dropped, nodes first.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    kind: ClusterKind,
    config: NodeBuilder,
    backing: Backing,
}

impl Cluster {
    /// Starts a cluster on the shared servers with a fresh database.
    pub async fn start(kind: ClusterKind) -> Result<Self> {
        Self::builder(kind).start().await
    }

    /// Begins a cluster.
    pub fn builder(kind: ClusterKind) -> ClusterBuilder {
        ClusterBuilder {
            kind,
            node_count: kind.node_count(),
            private_servers: false,
            first_port: None,
            folder: None,
            progress: |_| {},
            node: Node::builder(),
        }
    }

    /// Which way it runs.
    pub fn kind(&self) -> ClusterKind {
        self.kind
    }

    /// Every node.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Every node, to be killed and restarted.
    pub fn nodes_mut(&mut self) -> &mut [Node] {
        &mut self.nodes
    }

    /// A node by number; the numbers go round, so that node 1 is the first of one and the second
    /// of two.
    pub fn node(&self, number: usize) -> &Node {
        &self.nodes[number % self.nodes.len()]
    }

    /// Asks every node to end (SIGTERM), all at once, and waits: streams are told to resume, calls
    /// under way are finished. Fails where the deadline passes.
    pub async fn terminate(&mut self, at_most: Duration) -> Result<()> {
        let mut running = Vec::new();
        for node in &mut self.nodes {
            if node.is_running()? {
                running.push(node.terminate(at_most));
            }
        }
        for status in futures::future::join_all(running).await {
            let status = status?;
            ensure!(status.success(), "a node ended with {}", process::describe(status));
        }
        Ok(())
    }

    /// The operator key of every node.
    pub fn operator_key(&self) -> &str {
        self.config.operator_key()
    }

    /// The configuration of the nodes, for starting one more; give it a data folder.
    pub fn node_config(&self) -> NodeBuilder {
        self.config.clone()
    }

    /// The servers below the scaled kind.
    pub fn servers(&self) -> Result<&Servers> {
        Ok(&self.backing.scaled.as_ref().context("an embedded node has no servers")?.servers)
    }

    /// The database's address; `None` for SQLite in the first node's data folder.
    pub fn database_url(&self) -> Option<&str> {
        self.backing.scaled.as_ref().map(|scaled| scaled.database.url())
    }

    /// Looks at the stores from outside.
    pub fn stores(&self) -> Result<Stores> {
        match &self.backing.scaled {
            Some(scaled) => Stores::scaled(scaled.database.url(), scaled.servers.redis.url()),
            None => Ok(Stores::embedded(self.nodes[0].data_dir())),
        }
    }

    /// Folders that hold everything the service wrote: data, write-ahead logs, logs. The files of
    /// a PostgreSQL server that others use as well are among them; CHECKPOINT brings them up to date.
    pub fn folders(&self) -> Result<Vec<std::path::PathBuf>> {
        let mut folders = vec![self.backing.folder.path().to_owned()];
        if let Some(scaled) = &self.backing.scaled {
            let postgres = &scaled.servers.postgres;
            postgres.query(scaled.database.url(), "CHECKPOINT")?;
            folders.push(postgres.data_dir()?);
        }
        Ok(folders)
    }
}

/// What nodes stand on.
#[derive(Debug)]
struct Backing {
    scaled: Option<Scaled>,
    folder: Folder,
}

#[derive(Debug)]
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

#[derive(Debug)]
struct Scaled {
    database: TestDatabase,
    servers: Servers,
}

impl Backing {
    fn start(kind: ClusterKind, private: bool, folder: Option<PathBuf>) -> Result<Self> {
        let folder = match folder {
            Some(folder) => Folder::Kept(folder),
            None => {
                Folder::Temporary(tempfile::Builder::new().prefix("plasma-cluster-").tempdir()?)
            }
        };
        let scaled = match kind {
            ClusterKind::Embedded => None,
            ClusterKind::Scaled => {
                let servers = if private { Servers::private()? } else { Servers::shared()? };
                let database = TestDatabase::on(servers.postgres.clone())?;
                Some(Scaled { database, servers })
            }
        };
        Ok(Self { scaled, folder })
    }
}
