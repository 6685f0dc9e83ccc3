//! A real `plasma serve` process, configured by environment variables alone.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::process::{self, Process, Signal};
use crate::secret;

const START_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);
/// How often devices and tenants may do what.
const RATES: [&str; 4] = [
    "PLASMA_DEVICE_MESSAGES_PER_SECOND",
    "PLASMA_TENANT_MESSAGES_PER_SECOND",
    "PLASMA_DEVICE_CALLS_PER_SECOND",
    "PLASMA_TENANT_CALLS_PER_SECOND",
];
/// The port of what is configured like a node and listens nowhere.
const UNUSED_PORT: u16 = 1;
/// Attempts to find a port that nobody else takes meanwhile.
const PORT_ATTEMPTS: u32 = 5;

/// How to run a node. Cloned, it starts further nodes with the same keys.
#[derive(Debug, Clone)]
pub struct NodeBuilder {
    program: Option<PathBuf>,
    data_dir: Option<PathBuf>,
    database_url: Option<String>,
    redis_url: Option<String>,
    public_url: Option<String>,
    port: Option<u16>,
    operator_key: String,
    master_key: String,
    variables: Vec<(String, String)>,
}

impl NodeBuilder {
    fn new() -> Self {
        Self {
            program: None,
            data_dir: None,
            database_url: None,
            redis_url: None,
            public_url: None,
            port: None,
            operator_key: secret::operator_key(),
            master_key: secret::master_key(),
            variables: Vec::new(),
        }
    }

    /// Another program than the `plasma` that [`plasma_program`] finds.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Where the node keeps its files; a temporary folder of its own where unset.
    #[must_use]
    pub fn data_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(folder.into());
        self
    }

    /// The database; SQLite in the data folder where unset.
    #[must_use]
    pub fn database_url(mut self, url: impl Into<String>) -> Self {
        self.database_url = Some(url.into());
        self
    }

    /// The Redis server; the in-process bus where unset.
    #[must_use]
    pub fn redis_url(mut self, url: impl Into<String>) -> Self {
        self.redis_url = Some(url.into());
        self
    }

    /// The address that people and partners reach the service at; the node's own where unset.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// The port; a free one where unset.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// One more environment variable. Goes before the harness's own of the same name.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// Takes away the rates of devices and tenants, for whoever calls faster than people do.
    #[must_use]
    pub fn unlimited_rates(self) -> Self {
        RATES.iter().fold(self, |builder, name| builder.env(*name, "0"))
    }

    /// The operator key that nodes of this builder accept.
    pub fn operator_key(&self) -> &str {
        &self.operator_key
    }

    /// Starts the node on its port, or on a free one, and waits until its health says SERVING.
    pub async fn start(&self) -> Result<Node> {
        let (folder, own_folder) = self.folder()?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let port = self.port.map_or_else(process::free_port, Ok)?;
            match self.serve(&folder, port).await {
                Ok(process) => {
                    let config = self.clone();
                    return Ok(Node { process, port, config, folder, _own_folder: own_folder });
                }
                Err(error)
                    if self.port.is_none()
                        && attempt < PORT_ATTEMPTS
                        && process::port_was_taken(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs another command of the program, such as `ledger verify`, with the configuration and the
    /// files of a node, which may be running, and waits for its end.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        let folder = self.data_dir.clone().context("the data folder of the node is not set")?;
        let mut command = self.command(&folder, UNUSED_PORT)?;
        command.args(arguments).stdin(Stdio::null());
        command.output().with_context(|| format!("run plasma {}", arguments.join(" ")))
    }

    fn folder(&self) -> Result<(PathBuf, Option<Arc<TempDir>>)> {
        if let Some(folder) = &self.data_dir {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            return Ok((folder.clone(), None));
        }
        let own = Arc::new(tempfile::Builder::new().prefix("plasma-node-").tempdir()?);
        Ok((own.path().to_owned(), Some(own)))
    }

    async fn serve(&self, folder: &Path, port: u16) -> Result<Process> {
        let mut process = self.spawn(folder, port)?;
        let mut health = HealthClient::new(channel(&endpoint(port))?);
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            process.check_running()?;
            // Until the port is open the call fails, which is no news.
            let answer = health.check(HealthCheckRequest::default()).await;
            if answer.is_ok_and(|health| health.into_inner().status() == ServingStatus::Serving) {
                process.check_running()?;
                return Ok(process);
            }
            if Instant::now() >= deadline {
                bail!("the node is not serving after {START_TIMEOUT:?}:\n{}", process.log_tail());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn spawn(&self, folder: &Path, port: u16) -> Result<Process> {
        let mut command = self.command(folder, port)?;
        command.arg("serve");
        Process::spawn(&mut command, &folder.join(format!("node-{port}.log")))
    }

    /// The program with the configuration of a node, without a word of what it is to do.
    fn command(&self, folder: &Path, port: u16) -> Result<Command> {
        let mut command = Command::new(self.program.clone().map_or_else(plasma_program, Ok)?);
        command.current_dir(folder);
        // What the shell of a developer or the test run sets is not for this node.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PLASMA_") {
                command.env_remove(name);
            }
        }
        let public_url = self.public_url.clone().unwrap_or_else(|| endpoint(port));
        command
            .env("PLASMA_LISTEN", format!("127.0.0.1:{port}"))
            .env("PLASMA_DATA_DIR", folder)
            .env("PLASMA_PUBLIC_URL", public_url)
            .env("PLASMA_OPERATOR_KEY", &self.operator_key)
            .env("PLASMA_MASTER_KEY", &self.master_key);
        if let Some(url) = &self.database_url {
            command.env("PLASMA_DATABASE_URL", url);
        }
        if let Some(url) = &self.redis_url {
            command.env("PLASMA_REDIS_URL", url);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// A node. Killed when dropped.
#[derive(Debug)]
pub struct Node {
    process: Process,
    port: u16,
    config: NodeBuilder,
    folder: PathBuf,
    _own_folder: Option<Arc<TempDir>>,
}

impl Node {
    /// Begins the configuration of a node, with fresh keys.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }

    /// The node's address, `http://127.0.0.1:<port>`.
    pub fn endpoint(&self) -> String {
        endpoint(self.port)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new connection to the node, opened at the first call and again after a break.
    pub fn channel(&self) -> Result<Channel> {
        channel(&self.endpoint())
    }

    /// The operator key.
    pub fn operator_key(&self) -> &str {
        &self.config.operator_key
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Where the node keeps its files.
    pub fn data_dir(&self) -> &Path {
        &self.folder
    }

    /// What the node logged.
    pub fn log_path(&self) -> &Path {
        self.process.log_path()
    }

    /// Whether the process runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.process.ended()?.is_none())
    }

    /// Kills the node with SIGKILL: nothing is finished and nobody is told.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        Ok(())
    }

    /// Sends a signal, such as STOP and CONT.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Asks the node to end (SIGTERM) and waits for it; fails where the deadline passes.
    pub async fn terminate(&mut self, at_most: Duration) -> Result<ExitStatus> {
        self.process.signal(Signal::TERM)?;
        let deadline = Instant::now() + at_most;
        loop {
            if let Some(status) = self.process.ended()? {
                return Ok(status);
            }
            ensure!(
                Instant::now() < deadline,
                "the node has not ended after {at_most:?}:\n{}",
                self.process.log_tail()
            );
            tokio::time::sleep(process::LOOK).await;
        }
    }

    /// Starts the node again with the same configuration, files and port; kills it first where
    /// it runs.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.process = self.config.serve(&self.folder, self.port).await?;
        Ok(())
    }
}

/// Finds the program: `PLASMA_BIN`, else beside the running executable, which for a test lies in
/// `deps/` below it.
pub fn plasma_program() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("PLASMA_BIN") {
        let program = PathBuf::from(program);
        ensure!(program.is_file(), "PLASMA_BIN names {}, which is no file", program.display());
        return Ok(program);
    }
    let here = std::env::current_exe().context("the path of this executable")?;
    let found = here.ancestors().skip(1).take(2).map(|folder| folder.join("plasma"));
    found.clone().find(|program| program.is_file()).with_context(|| {
        let places: Vec<_> = found.map(|program| program.display().to_string()).collect();
        format!(
            "`plasma` is not built: looked for {}; run `cargo build --workspace --bins`, or name it \
             in PLASMA_BIN",
            places.join(" and ")
        )
    })
}

fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn channel(endpoint: &str) -> Result<Channel> {
    Ok(Endpoint::from_shared(endpoint.to_owned())?
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .connect_lazy())
}
