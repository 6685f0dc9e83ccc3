//! A load under way: its devices, its phases, and the ways in which messages are sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, stream};
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use super::arrival::clockwork;
use super::options::Profile;
use super::plan::Plan;
use super::progress::say;
use super::report::{Outcome, Phase, ServersUsed};
use super::series::{Series, rate};
use super::server::Servers;
use super::target::Target;
use crate::dice::Dice;
use crate::ledger::{Policy, Tally};
use crate::meters::Readings;
use crate::size::Costs;
use crate::traffic::{Device, Leaving, Surroundings};

/// Connections that are opened at a time, where it is not the point to open all at once.
const CONNECTING: usize = 64;
const READY_MAX: Duration = Duration::from_mins(2);
/// How long nothing may arrive before what is awaited counts as lost.
const DRAIN_MAX: Duration = Duration::from_secs(30);
const DRAIN_LOOK: Duration = Duration::from_millis(20);
/// Devices send in turn, each followed by one this many places on. Prime.
const STRIDE: usize = 7_919;

/// A load under way.
#[derive(Debug)]
pub struct Stage {
    /// What it is in numbers.
    pub plan: Plan,
    /// Devices that write random bytes.
    pub opaque: Vec<Device>,
    /// Devices that are the Rust client.
    pub sealed: Vec<Device>,
    /// What all devices share.
    pub around: Arc<Surroundings>,
    /// Chance.
    pub dice: Dice,
    /// What the profile `costs` measured.
    pub costs: Option<Costs>,
    servers: Servers,
    series: Series,
    phases: Vec<Phase>,
    readings: Readings,
    begun: Option<(Instant, Tally, usize)>,
}

impl Stage {
    /// Takes devices that are not connected yet.
    pub fn new(
        plan: Plan,
        target: &Target,
        around: Arc<Surroundings>,
        opaque: Vec<Device>,
        sealed: Vec<Device>,
    ) -> Result<Self> {
        Ok(Self {
            plan,
            opaque,
            sealed,
            dice: Dice::new(around.ledger.seed()),
            costs: None,
            servers: Servers::watch(target.processes(), target.beneath()?)?,
            series: Series::start(Arc::clone(&around)),
            around,
            phases: Vec::new(),
            readings: Readings::default(),
            begun: None,
        })
    }

    /// Every device.
    pub fn everyone(&self) -> impl Iterator<Item = &Device> {
        self.opaque.iter().chain(&self.sealed)
    }

    /// How many devices listen.
    fn listening(&self) -> usize {
        self.everyone().filter(|device| device.is_listening()).count()
    }

    /// Begins a phase: what is measured from now on belongs to it.
    pub fn begin(&mut self, what: &str) -> Result<()> {
        say(what);
        let before = self.around.meters.restart();
        self.readings.add(&before);
        self.servers.begin()?;
        self.begun = Some((Instant::now(), self.around.ledger.tally(), self.listening()));
        Ok(())
    }

    /// Ends a phase, with what else is worth knowing of it.
    pub fn end(&mut self, name: impl Into<String>, more: Map<String, Value>) -> Result<&Phase> {
        let (begun, before, listened) = self.begun.take().context("a phase has begun")?;
        let seconds = begun.elapsed().as_secs_f64();
        let readings = self.around.meters.restart();
        let (now, used) = (self.around.ledger.tally(), self.servers.used()?);
        let (sent, received) = (now.sent - before.sent, now.received - before.received);
        self.phases.push(Phase {
            name: name.into(),
            seconds,
            sent,
            accepted: now.accepted - before.accepted,
            stored: now.stored - before.stored,
            received,
            received_per_second: rate(received, seconds),
            delivery: readings.delivery.summary(),
            caught_up: readings.caught_up.summary(),
            answer: readings.answer.summary(),
            distribution: readings.delivery.distribution(),
            happenings: readings.happenings.clone(),
            listening: [listened, self.listening()],
            servers: used.map(|used| ServersUsed::of(&used, received)),
            more,
        });
        self.readings.add(&readings);
        self.phases.last().context("a phase")
    }

    /// Connects devices, some at a time, and waits until each is up to date.
    pub async fn connect(&self, devices: &[Device]) -> Result<()> {
        let connecting = devices.iter().map(|device| async move {
            device.connect();
            device.until_ready(READY_MAX).await
        });
        let mut connecting = stream::iter(connecting).buffer_unordered(CONNECTING);
        let mut there = 0_usize;
        while let Some(is_ready) = connecting.next().await {
            ensure!(is_ready, "a device is not connected and up to date after {READY_MAX:?}");
            there += 1;
            if there.is_multiple_of(1_000) {
                say(format!("{there} of {} devices are connected", devices.len()));
            }
        }
        Ok(())
    }

    /// Sends messages at moments that are fixed beforehand (open loop), each from a device that is
    /// picked when it is due; waits until all are decided.
    pub async fn send_at(
        &self,
        moments: Vec<Duration>,
        mut pick: impl FnMut() -> (Device, usize),
    ) -> Result<()> {
        let mut clock = clockwork(Instant::now(), moments);
        let mut sending = JoinSet::new();
        while let Some(due) = clock.recv().await {
            let (device, chat) = pick();
            sending.spawn(async move { device.send(chat, due).await });
            while sending.try_join_next().is_some() {}
        }
        while let Some(sent) = sending.join_next().await {
            sent?;
        }
        Ok(())
    }

    /// Keeps a number of messages in flight between devices (closed loop), until the time is over
    /// or so many are sent. A latency counts from when a place was free, as any closed loop's does.
    pub async fn keep_in_flight(
        &self,
        devices: &[Device],
        in_flight: usize,
        until: impl Fn(usize) -> bool + Clone + Send + 'static,
    ) -> Result<()> {
        let turn = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let devices: Arc<[Device]> = devices.into();
        let mut sending = JoinSet::new();
        for _ in 0..in_flight {
            let (turn, devices, until) = (Arc::clone(&turn), Arc::clone(&devices), until.clone());
            sending.spawn(async move {
                loop {
                    let turn = turn.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if until(turn) {
                        return;
                    }
                    let device = &devices[turn.wrapping_mul(STRIDE) % devices.len()];
                    // Every time round another chat.
                    device.send(turn / devices.len(), Instant::now()).await;
                }
            });
        }
        while let Some(sent) = sending.join_next().await {
            sent?;
        }
        Ok(())
    }

    /// Waits until everything that was answered OK has arrived, for as long as anything does.
    pub async fn drain(&self) {
        let ledger = &self.around.ledger;
        let (mut received, mut moved) = (ledger.tally().received, Instant::now());
        while ledger.tally().awaited > 0 && moved.elapsed() < DRAIN_MAX {
            tokio::time::sleep(DRAIN_LOOK).await;
            let now = ledger.tally().received;
            if now > received {
                (received, moved) = (now, Instant::now());
            }
        }
    }

    /// Brings everyone who is waited for, drains, has everyone leave, and judges.
    pub async fn finish(mut self, profile: Profile, target: &Target) -> Result<Outcome> {
        let awaited = self.around.ledger.awaited();
        if !awaited.is_empty() {
            say(format!("{} envelopes have not arrived yet", awaited.values().sum::<usize>()));
        }
        for device in self.everyone().filter(|device| awaited.contains_key(&device.number())) {
            device.connect();
        }
        self.drain().await;
        // Once more for what comes although it has come.
        let leaving = self.everyone().map(|device| device.disconnect(Leaving::InOrder));
        stream::iter(leaving).for_each_concurrent(CONNECTING, |leaving| leaving).await;
        let rest = self.around.meters.restart();
        self.readings.add(&rest);
        let verdict = self.around.ledger.verdict(Policy::default());
        Ok(Outcome {
            profile,
            target: target.name.clone(),
            nodes: target.nodes.len(),
            transport: self.around.manner.transport,
            ciphertext_length: self.around.manner.ciphertext_length,
            devices: self.opaque.len(),
            sealed_devices: self.sealed.len(),
            seed: verdict.seed,
            phases: self.phases,
            series: self.series.stop(),
            happenings: self.readings.happenings,
            failures: self.readings.failures,
            is_clean: verdict.is_clean(),
            verdict,
            costs: self.costs,
            more: Map::new(),
        })
    }
}
