//! `costs`: what each thing that people do costs, one at a time, on nodes that do nothing else.
//!
//! Owns the order in which it is measured: idle nodes, users enrolled, devices that come, are there
//! and go, chats, messages on one node and on two, in known chats and in forgotten ones, messages
//! stored alone and together, and taken. From each phase is taken off what runs anyway.

mod couples;
mod messages;
mod spent;
mod waiting;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use futures::{StreamExt, stream};
use plasma_testkit::node::plasma_program;
use serde_json::{Map, Value};

use self::couples::{Couple, opaque, take};
use self::spent::{Spent, each};
use super::super::series::rate;
use super::super::stage::Stage;
use super::super::target::Target;
use crate::machine::description;
use crate::population::Population;
use crate::size::{Cost, Costs, Idle, Unit, Units};
use crate::traffic::{Device, Leaving, OpaqueDevice, Transport};

/// Users of one measurement of enrolling, and chats of one of opening.
const NEW: usize = 200;
/// Chats that are opened at a time.
const OPENED_AT_A_TIME: usize = 8;
const LEAVING_AT_A_TIME: usize = 64;

pub(super) async fn play(stage: &mut Stage, target: &Target) -> Result<Map<String, Value>> {
    ensure!(!target.is_bare(), "costs are those of the service, which the bare relay is not");
    ensure!(stage.sealed.is_empty(), "costs are measured with opaque devices: --sealed 0");
    let costs = Bench::new(stage, target).measure().await?;
    costs.check()?;
    stage.costs = Some(costs);
    Ok(Map::new())
}

/// A measurement under way.
struct Bench<'a> {
    stage: &'a mut Stage,
    target: &'a Target,
    nodes: f64,
    /// Some on each node who are there all the time: a node without devices does not sweep.
    watchers: Vec<Device>,
    /// Everybody else.
    everyone: Vec<Device>,
    /// What runs anyway, as far as it is known yet.
    node: Idle,
    device: Idle,
}

/// Couples that write, each for one measurement.
struct Roles {
    /// On one node; their chats are opened here.
    new: Vec<Couple>,
    /// On two nodes; none where there is one.
    far: Vec<Couple>,
    /// In chats that nobody has written in.
    unknown: Vec<Couple>,
}

const NOTHING: Idle = Idle {
    resident_kib: 0.0,
    second: Cost {
        node_micros: 0.0,
        postgres_micros: 0.0,
        redis_micros: 0.0,
        wal_bytes: 0.0,
        write_transactions: 0.0,
        redis_commands: 0.0,
    },
};

impl<'a> Bench<'a> {
    fn new(stage: &'a mut Stage, target: &'a Target) -> Self {
        let mut watchers = stage.opaque.clone();
        let everyone = watchers.split_off((2 * target.nodes.len()).min(watchers.len()));
        let nodes = rate(target.nodes.len() as u64, 1.0);
        Self { stage, target, nodes, watchers, everyone, node: NOTHING, device: NOTHING }
    }

    async fn measure(mut self) -> Result<Costs> {
        let plan = self.stage.plan;
        self.idle_nodes().await?;
        let enrolled = self.enroll().await?;
        let (sign_in, visit) = self.visits().await?;
        let roles = self.roles();
        let chat = self.open_chats(&roles).await?;
        let near = self.online("near", &roles.new, plan.messages).await?;
        let far = match &roles.far[..] {
            [] => None,
            far => Some(self.online("far", far, plan.messages).await?),
        };
        let (look_up, chat_kib) = self.look_up(&roles, far.unwrap_or(near)).await?;
        self.leave("leave").await?;
        let stored = self.store(&roles.new).await?;
        let taken = self.take_all(&roles, visit).await?;
        let length = self.stage.around.manner.ciphertext_length;
        // Each of those who were enrolled has opened a chat.
        let user = Unit { each: enrolled.each - chat.each, ..enrolled };
        Ok(Costs {
            machine: description(),
            build: build()?,
            target: self.target.name.clone(),
            is_scaled: self.target.beneath()?.is_some(),
            transport: match self.stage.around.manner.transport {
                Transport::Unary => "unary".to_owned(),
                Transport::Connect => "connect".to_owned(),
            },
            ciphertext_length: rate(length as u64, 1.0),
            node: self.node,
            device: self.device,
            units: Units {
                sign_in,
                visit,
                near,
                far,
                look_up,
                stored: stored.message,
                commit: stored.commit,
                first_taken: taken.first,
                further_taken: taken.further,
                swept: taken.swept,
                chat,
                user,
            },
            chat_kib,
            commit_millis: stored.millis,
            envelope_bytes: stored.bytes,
        })
    }

    /// Ends a phase; what it spent, and what is left without what runs anyway.
    fn end(&mut self, name: &str) -> Result<(Spent, Cost)> {
        let spent = Spent::of(self.stage.end(name, Map::new())?)?;
        Ok((spent, spent.beside(self.nodes, &self.node, &self.device)))
    }

    async fn idle_nodes(&mut self) -> Result<()> {
        self.stage.connect(&self.watchers).await?;
        self.stage.begin("nothing happens")?;
        tokio::time::sleep(self.stage.plan.window).await;
        let (spent, cost) = self.end("idle nodes")?;
        self.node = Idle {
            resident_kib: spent.resident_kib / self.nodes,
            second: cost * (1.0 / (spent.seconds * self.nodes)),
        };
        Ok(())
    }

    /// What a user costs who is enrolled and opens a chat.
    async fn enroll(&mut self) -> Result<Unit> {
        let count = NEW.min(self.everyone.len() / 4).max(2);
        let channel = self.target.channel()?;
        self.stage.begin(&format!("enrolling {count} users"))?;
        Population::enroll(&channel, self.target.operator_key(), count, |_| {}).await?;
        let (_, cost) = self.end("enroll")?;
        Ok(each(cost, rate(count as u64, 1.0)))
    }

    /// What a sign-in costs, and what a visit does beside it.
    async fn visits(&mut self) -> Result<(Unit, Unit)> {
        let devices = rate(self.everyone.len() as u64, 1.0);
        let (_, first) = self.come("come").await?;
        self.stage.begin("nothing happens, and everybody is there")?;
        tokio::time::sleep(self.stage.plan.window).await;
        let (spent, cost) = self.end("idle devices")?;
        let rise = spent.resident_kib - self.nodes * self.node.resident_kib;
        self.device = Idle {
            resident_kib: rise.max(0.0) / devices,
            second: cost * (1.0 / spent.device_seconds),
        };
        self.leave("leave").await?;
        let (_, again) = self.come("come again").await?;
        let gone = self.leave("leave again").await?;
        self.come("come for good").await?;
        Ok((each(first - again, devices), each(again + gone, devices)))
    }

    async fn come(&mut self, name: &str) -> Result<(Spent, Cost)> {
        self.stage.begin(&format!("{} devices come", self.everyone.len()))?;
        self.stage.connect(&self.everyone).await?;
        self.end(name)
    }

    async fn leave(&mut self, name: &str) -> Result<Cost> {
        self.stage.begin("everybody leaves")?;
        leave(&self.everyone).await;
        Ok(self.end(name)?.1)
    }

    fn roles(&self) -> Roles {
        let devices = opaque(&self.everyone);
        let (nodes, count) = (self.target.nodes.len(), self.stage.plan.in_flight);
        let part = (devices.len() / 10).max(1);
        let mut taken = BTreeSet::new();
        let distance = if nodes > 1 { nodes } else { 2 };
        let new = NEW.min(part);
        let new = take(&devices, &mut taken, distance, new, OpaqueDevice::may_meet);
        let far = if nodes > 1 { count.min(part) } else { 0 };
        let far = take(&devices, &mut taken, 1, far, Couple::has_chat);
        let unknown = take(&devices, &mut taken, 1, usize::MAX, Couple::has_chat);
        Roles { new, far, unknown }
    }

    /// What a chat costs.
    async fn open_chats(&mut self, roles: &Roles) -> Result<Unit> {
        // Connections to the database plan a statement when they first come by it.
        let (first, rest) = roles.new.split_at(roles.new.len() / 3);
        open(first).await;
        self.stage.begin(&format!("opening {} chats", rest.len()))?;
        open(rest).await;
        let (_, cost) = self.end("open chats")?;
        let missing = roles.new.iter().find(|couple| !Couple::has_chat(&couple.from, &couple.to));
        ensure!(missing.is_none(), "a chat could not be opened");
        Ok(each(cost, rate(rest.len() as u64, 1.0)))
    }
}

/// How the program of the nodes was built: the folder that Cargo put it in.
fn build() -> Result<String> {
    let program = plasma_program()?;
    let folder = program.parent().and_then(Path::file_name);
    Ok(folder.map_or_else(|| "unknown".to_owned(), |name| name.to_string_lossy().into_owned()))
}

async fn open(couples: &[Couple]) {
    let opening = couples.iter().map(|couple| couple.from.open_chat(&couple.to));
    stream::iter(opening).for_each_concurrent(OPENED_AT_A_TIME, |opening| opening).await;
}

async fn leave(devices: &[Device]) {
    let leaving = devices.iter().map(|device| device.disconnect(Leaving::InOrder));
    stream::iter(leaving).for_each_concurrent(LEAVING_AT_A_TIME, |leaving| leaving).await;
}
