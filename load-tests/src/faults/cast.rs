//! Who writes to whom while the service breaks: opaque devices and sealed ones, each with chats with
//! two others, and every fifth behind a line that is weak.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use plasma_client::Repair;
use plasma_testkit::{Cluster, Line, Node};

use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::meters::Meters;
use crate::population::{Population, sealed_devices};
use crate::traffic::{Device, Manner, Surroundings};

/// A node or a server is away for seconds: nobody gives up meanwhile.
const PATIENCE: Duration = Duration::from_mins(2);
/// One of so many devices has a weak line.
const WEAK: usize = 5;
/// How long a device may take to connect while nothing fails.
const READY_MAX: Duration = Duration::from_secs(30);

/// Everybody who writes, and the lines between them and the nodes.
#[derive(Debug)]
pub struct Cast {
    /// The book.
    pub ledger: Arc<Ledger>,
    /// The meters.
    pub meters: Arc<Meters>,
    /// Everybody.
    pub devices: Vec<Device>,
    /// The line that can be slow or go dead.
    pub weak: Line,
    /// The line that only chooses a node, for clients that know one address.
    _sound: Line,
}

impl Cast {
    /// Enrolls everybody, opens their chats, and has them connected.
    pub async fn gather(
        cluster: &Cluster,
        seed: u64,
        opaque: usize,
        sealed: usize,
    ) -> Result<Self> {
        let ports: Vec<u16> = cluster.nodes().iter().map(Node::port).collect();
        let weak = Line::start(ports.clone()).await?;
        let sound = Line::start(ports.clone()).await?;
        let ledger = Arc::new(Ledger::new(seed, Dice::random_seed()));
        let meters = Arc::new(Meters::default());
        let around = |nodes| {
            let manner = Manner { patience: PATIENCE, ..Manner::default() };
            let (ledger, meters) = (Arc::clone(&ledger), Arc::clone(&meters));
            Arc::new(Surroundings::new(ledger, meters, manner, nodes))
        };
        let direct = ports.iter().map(|port| SocketAddr::from(([127, 0, 0, 1], *port))).collect();
        let (direct, shaky) = (around(direct), around(vec![weak.address()]));

        let channel = cluster.node(0).channel()?;
        let key = cluster.operator_key();
        let few = (opaque / WEAK).max(2);
        let strong = Population::enroll(&channel, key, opaque.saturating_sub(few).max(2), |_| {});
        let mut devices = strong.await?.devices(&direct);
        devices.extend(Population::enroll(&channel, key, few, |_| {}).await?.devices(&shaky));
        let mut urls = vec![sound.url(); WEAK - 1];
        urls.push(weak.url());
        devices.extend(sealed_devices(&channel, key, &urls, &direct, sealed).await?);
        for device in &devices {
            device.connect();
        }
        for device in &devices {
            let is_ready = device.until_ready(READY_MAX).await;
            let failures = || meters.readings().failures;
            ensure!(is_ready, "device {} does not connect: {:?}", device.number(), failures());
        }
        Ok(Self { ledger, meters, devices, weak, _sound: sound })
    }

    /// How many envelopes sealed devices have asked for again and not got yet.
    pub fn asked_for(&self) -> Result<usize> {
        self.not_shown(Repair::Requested)
    }

    /// How many envelopes sealed devices could not open, and have got again since.
    pub fn repaired(&self) -> Result<usize> {
        self.not_shown(Repair::Resolved)
    }

    fn not_shown(&self, repair: Repair) -> Result<usize> {
        let mut count = 0;
        for device in &self.devices {
            let Device::Sealed(device) = device else { continue };
            let listed = device.client().not_shown()?;
            count += listed.iter().filter(|one| one.repair == repair).count();
        }
        Ok(count)
    }

    /// Messages that a sealed device shows more than once, or could not open and has not got since.
    pub fn shown_wrongly(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for device in &self.devices {
            let Device::Sealed(device) = device else { continue };
            let client = device.client();
            for chat in client.chats_overview()? {
                let mut texts: Vec<String> =
                    client.history(chat.chat.id)?.into_iter().map(|message| message.text).collect();
                texts.sort_unstable();
                let twice = texts.windows(2).filter(|pair| pair[0] == pair[1]);
                wrong.extend(twice.map(|pair| format!("shown twice: {:.60}", pair[0])));
            }
            let left = client.not_shown()?.into_iter().filter(|one| one.repair != Repair::Resolved);
            wrong.extend(left.map(|one| format!("not opened: {} ({:?})", one.code, one.repair)));
        }
        Ok(wrong)
    }
}
