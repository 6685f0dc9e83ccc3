//! The yardstick of relaying: a bare tonic relay.
//!
//! The same calls as `MessageService` — unary Send, server-streamed deliveries and unary
//! Acknowledge, and all of it on one stream of both directions — with routing in memory and nothing
//! else: no authentication, no check of fields, no storage, no encryption. A credential is sent and
//! not looked at.

mod connect;
mod messages;
mod service;

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use plasma_testkit::process::{Process, free_port};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

pub use messages::{
    AcknowledgeRequest, AcknowledgeResponse, Call, ConnectEvent, ConnectRequest, ConnectResponse,
    ConnectSend, Envelope, ReceiveRequest, SendRequest, SendResponse, Sent,
};
pub use service::{ACKNOWLEDGE_PATH, CONNECT_PATH, RECEIVE_PATH, Relay, SEND_PATH};

const START_TIMEOUT: Duration = Duration::from_secs(10);
const PORT_ATTEMPTS: u32 = 5;

/// Another mode of a program: to be the relay that it starts.
#[derive(Debug, Subcommand)]
pub enum Mode {
    /// Serve the bare relay that the service is compared with
    RelayServer {
        /// Address to listen on
        #[arg(long)]
        listen: SocketAddr,
    },
}

/// Serves on an address until the process is ended.
pub async fn serve(listen: SocketAddr) -> Result<()> {
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    serve_on(listener).await
}

/// Serves on a listener for as long as it is polled.
pub async fn serve_on(listener: TcpListener) -> Result<()> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder().add_service(Relay::default()).serve_with_incoming(incoming).await?;
    Ok(())
}

/// A running relay, as a process of its own. Killed when dropped.
#[derive(Debug)]
pub struct RelayProcess {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl RelayProcess {
    /// Starts this program as the relay, with one worker thread, and waits until it listens.
    pub async fn start() -> Result<Self> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match Self::start_once().await {
                Err(_) if attempt < PORT_ATTEMPTS => {}
                outcome => return outcome.context("the bare relay does not start"),
            }
        }
    }

    async fn start_once() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("plasma-relay-").tempdir()?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["relay-server", "--listen", &address.to_string()]);
        command.env("TOKIO_WORKER_THREADS", "1");
        let mut process = Process::spawn(&mut command, &folder.path().join("relay.log"))?;
        let deadline = Instant::now() + START_TIMEOUT;
        while TcpStream::connect(address).await.is_err() {
            process.check_running()?;
            ensure!(Instant::now() < deadline, "no answer in time:\n{}", process.log_tail());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process.check_running()?;
        Ok(Self { process, address, _folder: folder })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }
}
