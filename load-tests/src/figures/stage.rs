//! The servers of the figures about relaying, each on the server's core, and the devices that
//! load them.

use std::net::SocketAddr;
use std::ops::Range;
use std::process;

use anyhow::Result;
use futures::{StreamExt, TryStreamExt, stream};
use plasma_proto::billing::v1::AcceptedPrice;
use plasma_testkit::{Node, NodeBuilder, Onboarding, Platform};
use tonic::transport::Channel;

use super::progress;
use crate::enrollment::{Enrolled, USERS_PER_PLATFORM, enroll_users};
use crate::generator::{BareProtocol, PlasmaProtocol};
use crate::machine::Cores;
use crate::relay::RelayProcess;

const CHATS_AT_A_TIME: usize = 8;

/// Two devices with a chat, and the chat's id.
pub type Pair = ([Enrolled; 2], String);

/// A server that can be loaded.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// What it is called on the terminal.
    pub name: &'static str,
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub address: SocketAddr,
}

/// The bare relay, and the service with devices.
#[derive(Debug)]
pub struct Stage {
    node: Node,
    relay: RelayProcess,
    pairs: Vec<Pair>,
}

impl Stage {
    /// Starts both servers and enrolls devices; then pins the servers and this process, each to
    /// its core.
    pub async fn start(figure: &str, cores: &Cores, devices: usize) -> Result<Self> {
        let relay = RelayProcess::start().await?;
        progress(figure, "starting `plasma serve` on its embedded default");
        let node = node().start().await?;
        let pairs = enroll_pairs(figure, &node, devices).await?;
        let stage = Self { node, relay, pairs };
        for server in [stage.plasma(), stage.bare()] {
            cores.pin_server(server.pid)?;
        }
        cores.pin_generator(process::id())?;
        Ok(stage)
    }

    /// The service.
    pub fn plasma(&self) -> Server {
        let address = SocketAddr::from(([127, 0, 0, 1], self.node.port()));
        Server { name: "plasma", pid: self.node.pid(), address }
    }

    /// The bare relay.
    pub fn bare(&self) -> Server {
        Server { name: "bare relay", pid: self.relay.pid(), address: self.relay.address() }
    }

    /// What a load says to the service.
    pub fn plasma_protocol(&self) -> Result<PlasmaProtocol> {
        PlasmaProtocol::new(&self.pairs)
    }

    /// The same of some of the devices; both of each pair.
    pub fn plasma_protocol_of(&self, devices: Range<usize>) -> Result<PlasmaProtocol> {
        PlasmaProtocol::new(&self.pairs[devices.start / 2..devices.end / 2])
    }

    /// What a load says to the bare relay: it has as many devices.
    pub fn bare_protocol(&self) -> Result<BareProtocol> {
        BareProtocol::of(0..self.pairs.len() * 2)
    }

    /// Starts both servers anew, so that nothing is left in their memory of what they did. The
    /// devices stay enrolled.
    pub async fn restart(&mut self, cores: &Cores) -> Result<()> {
        self.node.restart().await?;
        self.relay = RelayProcess::start().await?;
        for server in [self.plasma(), self.bare()] {
            cores.pin_server(server.pid)?;
        }
        Ok(())
    }
}

/// A node with one worker thread, and no rates: it is asked for all that it can.
pub fn node() -> NodeBuilder {
    Node::builder().env("TOKIO_WORKER_THREADS", "1").unlimited_rates()
}

/// Enrolls users on as many platforms as that takes, and opens a free chat for every two.
pub async fn enroll_pairs(figure: &str, node: &Node, devices: usize) -> Result<Vec<Pair>> {
    progress(figure, format!("enrolling {devices} devices and opening {} chats", devices / 2));
    let channel = node.channel()?;
    let mut pairs = Vec::with_capacity(devices / 2);
    while pairs.len() * 2 < devices {
        let users = USERS_PER_PLATFORM.min(devices - pairs.len() * 2);
        let onboarding = Onboarding::free("Bench");
        let platform = Platform::onboard(channel.clone(), node.operator_key(), &onboarding).await?;
        let mut users = enroll_users(&channel, &platform, users).await?;
        let mut couples = Vec::new();
        while let (Some(first), Some(second)) = (users.pop(), users.pop()) {
            couples.push([first, second]);
        }
        let opened = stream::iter(couples.into_iter().map(|couple| open_chat(&channel, couple)));
        let opened: Vec<Pair> = opened.buffer_unordered(CHATS_AT_A_TIME).try_collect().await?;
        pairs.extend(opened);
    }
    Ok(pairs)
}

async fn open_chat(channel: &Channel, couple: [Enrolled; 2]) -> Result<Pair> {
    let link = couple[0].create_link(channel).await?;
    let chat = couple[1].open_chat(channel, &link, AcceptedPrice::default()).await?;
    Ok((couple, chat))
}
