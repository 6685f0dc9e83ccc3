//! The unit costs that the profile `costs` measures, and what a number of doings costs by them.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::cost::Cost;

/// What everything costs, measured one at a time. `load-tests/costs.json` is one of these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// The machine.
    pub machine: String,
    /// How the program of the nodes was built: `release`, or `debug`, which says little.
    pub build: String,
    /// What was loaded.
    pub target: String,
    /// Whether PostgreSQL and Redis were beneath, and not SQLite.
    pub is_scaled: bool,
    /// The calls that carried messages.
    pub transport: String,
    /// Bytes of ciphertext of a message.
    pub ciphertext_length: f64,
    /// An idle node.
    pub node: Idle,
    /// A connected device that does nothing.
    pub device: Idle,
    /// Once each.
    pub units: Units,
    /// Memory of the nodes for a chat whose look-ups they keep, in KiB.
    pub chat_kib: f64,
    /// For how long a commit of stored messages holds up the next, many being under way.
    pub commit_millis: f64,
    /// Bytes of the store for an envelope that waits, indexes included.
    pub envelope_bytes: f64,
}

/// What something costs by being there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idle {
    /// Memory of the nodes, in KiB.
    pub resident_kib: f64,
    /// A second of it.
    pub second: Cost,
}

/// What something costs once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// How often it was done to measure it.
    pub times: f64,
    /// Once.
    pub each: Cost,
}

/// What each thing costs that people do, beside what it costs that they are there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Units {
    /// A sign-in: an access token by the device's signature.
    pub sign_in: Unit,
    /// A visit: a connection and a stream are opened, and closed.
    pub visit: Unit,
    /// A message between devices on one node, acknowledged online, with what is looked up known.
    pub near: Unit,
    /// The same on two nodes; none where there was one node.
    pub far: Option<Unit>,
    /// What a message costs more in a chat that its node must look up.
    pub look_up: Unit,
    /// A message for a device that is away, stored, without the commit.
    pub stored: Unit,
    /// The commit of a batch of them.
    pub commit: Unit,
    /// The first envelope that a visit takes: listed, delivered, acknowledged, deleted.
    pub first_taken: Unit,
    /// Each further one.
    pub further_taken: Unit,
    /// A row that a sweep comes by: stored in the last ten seconds.
    pub swept: Unit,
    /// A contact link made, and a free chat opened by it.
    pub chat: Unit,
    /// A user enrolled with a device.
    pub user: Unit,
}

/// How often what was done, and for how long who was there.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Doings {
    /// Nodes times seconds.
    pub node_seconds: f64,
    /// Connected devices times seconds.
    pub device_seconds: f64,
    /// Sign-ins.
    pub sign_ins: f64,
    /// Visits.
    pub visits: f64,
    /// Messages on one node.
    pub near: f64,
    /// Messages between two nodes.
    pub far: f64,
    /// Messages in chats that must be looked up.
    pub look_ups: f64,
    /// Messages stored.
    pub stored: f64,
    /// Commits that stored them.
    pub commits: f64,
    /// First envelopes taken.
    pub first_taken: f64,
    /// Further envelopes taken.
    pub further_taken: f64,
    /// Rows that sweeps came by.
    pub swept: f64,
    /// Chats opened.
    pub chats: f64,
    /// Users enrolled.
    pub users: f64,
}

impl Costs {
    /// Those of load-tests/costs.json.
    pub fn checked_in() -> Result<Self> {
        let costs: Self = serde_json::from_str(include_str!("../../costs.json"))
            .context("load-tests/costs.json is no file of unit costs")?;
        costs.check().context("the unit costs in load-tests/costs.json")?;
        Ok(costs)
    }

    /// Reads a file of unit costs.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read(path).with_context(|| format!("read the unit costs in {name}"))?;
        let costs: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{name} is no file of unit costs"))?;
        costs.check().with_context(|| format!("the unit costs in {name}"))?;
        Ok(costs)
    }

    /// Writes a file of unit costs.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
    }

    /// Fails where a number is none, or below nothing.
    pub fn check(&self) -> Result<()> {
        let units = &self.units;
        let named = [
            ("sign_in", units.sign_in.each),
            ("visit", units.visit.each),
            ("near", units.near.each),
            ("far", units.far.unwrap_or_default().each),
            ("look_up", units.look_up.each),
            ("stored", units.stored.each),
            ("commit", units.commit.each),
            ("first_taken", units.first_taken.each),
            ("further_taken", units.further_taken.each),
            ("swept", units.swept.each),
            ("chat", units.chat.each),
            ("user", units.user.each),
            ("node", self.node.second),
            ("device", self.device.second),
        ];
        for (name, cost) in named {
            ensure!(cost.is_sound(), "{name} is no cost: {cost:?}");
        }
        let sizes = [
            ("resident_kib of node", self.node.resident_kib),
            ("resident_kib of device", self.device.resident_kib),
            ("chat_kib", self.chat_kib),
            ("commit_millis", self.commit_millis),
            ("envelope_bytes", self.envelope_bytes),
            ("ciphertext_length", self.ciphertext_length),
        ];
        for (name, size) in sizes {
            ensure!(size.is_finite() && size >= 0.0, "{name} is no size: {size}");
        }
        Ok(())
    }

    /// What doings cost. Fails where messages between nodes are asked for and were not measured.
    pub fn of(&self, doings: &Doings) -> Result<Cost> {
        let units = &self.units;
        let far = match units.far {
            Some(far) => far,
            None if doings.far == 0.0 => Unit::default(),
            None => anyhow::bail!(
                "these unit costs are of one node; for several, measure them with \
                 `plasma-load costs --store postgres --nodes 3`"
            ),
        };
        let of_being_there =
            self.node.second * doings.node_seconds + self.device.second * doings.device_seconds;
        let of_units = [
            (units.sign_in, doings.sign_ins),
            (units.visit, doings.visits),
            (units.near, doings.near),
            (far, doings.far),
            (units.look_up, doings.look_ups),
            (units.stored, doings.stored),
            (units.commit, doings.commits),
            (units.first_taken, doings.first_taken),
            (units.further_taken, doings.further_taken),
            (units.swept, doings.swept),
            (units.chat, doings.chats),
            (units.user, doings.users),
        ];
        let sum = |sum, (unit, times): (Unit, f64)| sum + unit.each * times;
        Ok(of_units.into_iter().fold(of_being_there, sum))
    }

    /// Commits per second that store so many messages per second on a node: what arrives while one
    /// commits goes into the next.
    pub fn commits(&self, stored_per_second: f64) -> f64 {
        stored_per_second / (1.0 + stored_per_second * self.commit_millis / 1_000.0)
    }

    /// Memory of nodes in MiB.
    pub fn resident_mib(&self, nodes: f64, devices: f64, chats: f64) -> f64 {
        let kib = nodes * self.node.resident_kib
            + devices * self.device.resident_kib
            + chats * self.chat_kib;
        kib / 1_024.0
    }
}
