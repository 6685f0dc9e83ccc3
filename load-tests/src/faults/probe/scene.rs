//! A cluster of its own with a platform and people, and chance for one probe.

use anyhow::Result;
use plasma_proto::billing::v1::AcceptedPrice;
use plasma_testkit::{Cluster, ClusterKind, Onboarding, Platform};

use super::super::planted;
use super::device::Device;
use crate::dice::Dice;
use crate::enrollment::{Enrolled, USERS_PER_PLATFORM, enroll_users};

/// A drain that takes longer is cut off.
const DRAIN_SECONDS: &str = "6";

/// Streams of a drain in the bounded run of the tests, and unless a scene is told otherwise.
pub const BRIEF_STREAMS: usize = 50;

/// What the nodes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// `plasma`.
    Sound,
    /// `plasma-planted` with a bug, or with none where the name is empty.
    Planted(&'static str),
}

/// What a probe plays on.
#[derive(Debug)]
pub struct Scene {
    /// The service.
    pub cluster: Cluster,
    /// Chance.
    pub dice: Dice,
    /// How many streams a drain has.
    pub streams: usize,
    platform: Platform,
}

impl Scene {
    /// Starts servers and nodes.
    pub async fn start(kind: ClusterKind, nodes: Nodes, seed: u64) -> Result<Self> {
        let mut builder = Cluster::builder(kind).private_servers().unlimited_rates();
        if let Nodes::Planted(bug) = nodes {
            builder = builder.program(planted::program()?).env(planted::VARIABLE, bug);
        }
        let cluster = builder.env("PLASMA_DRAIN_SECONDS", DRAIN_SECONDS).start().await?;
        let platform = onboard(&cluster).await?;
        Ok(Self { cluster, dice: Dice::new(seed), streams: BRIEF_STREAMS, platform })
    }

    /// Enrolls users, each with one device.
    pub(super) async fn people(&self, count: usize) -> Result<Vec<Enrolled>> {
        let mut people = Vec::new();
        while people.len() < count {
            let more = (count - people.len()).min(USERS_PER_PLATFORM);
            // A platform may enroll so many at once.
            let platform = if count > USERS_PER_PLATFORM {
                &onboard(&self.cluster).await?
            } else {
                &self.platform
            };
            people.extend(enroll_users(&self.cluster.node(0).channel()?, platform, more).await?);
        }
        Ok(people)
    }

    /// A user's device on a node.
    pub(super) fn device(&self, enrolled: &Enrolled, node: usize) -> Result<Device> {
        Ok(Device::new(enrolled.clone(), self.cluster.node(node).channel()?))
    }

    /// Opens a chat; its id.
    pub(super) async fn chat(&self, from: &Enrolled, to: &Enrolled) -> Result<String> {
        let channel = self.cluster.node(0).channel()?;
        let link = to.create_link(&channel).await?;
        from.open_chat(&channel, &link, AcceptedPrice::default()).await
    }
}

async fn onboard(cluster: &Cluster) -> Result<Platform> {
    let channel = cluster.node(0).channel()?;
    Platform::onboard(channel, cluster.operator_key(), &Onboarding::free("Faults")).await
}
