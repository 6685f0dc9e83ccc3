//! A load while everything fails at random: first calm, then faults, then without Redis, then calm
//! again until everything has arrived; and what became of every message.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use plasma_testkit::{Cluster, ClusterKind};
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use super::cast::Cast;
use super::hands::Hands;
use super::waiting;
use crate::dice::Dice;
use crate::ledger::{Order, Policy, Verdict, Wrong};
use crate::meters::Summary;
use crate::traffic::{Device, Leaving};

/// How hard it blows.
#[derive(Debug, Clone, Copy)]
pub struct Storm {
    /// Which way the service runs.
    pub kind: ClusterKind,
    /// What is drawn from it is the same in each run.
    pub seed: u64,
    /// Devices that write random bytes.
    pub opaque: usize,
    /// Devices that are the Rust client.
    pub sealed: usize,
    /// The mean pause of a device after each message.
    pub pause: Duration,
    /// How long the calm before and after lasts, and the time without Redis.
    pub calm: Duration,
    /// How long faults go on at least.
    pub faults: Duration,
    /// How many messages there are at least before faults end.
    pub messages: u64,
}

/// The phase in which Redis stays away.
pub const WITHOUT_REDIS: &str = "without Redis";
/// A drain waits so long for connections that are dead without the node's knowing.
const DRAIN_SECONDS: &str = "5";
/// How long it may take until everything has arrived.
const ARRIVAL_MAX: Duration = Duration::from_mins(2);
/// A node finds a connection dead after 25 seconds of silence, and its device comes back.
const LINES_FOUND_DEAD: Duration = Duration::from_secs(27);
/// What comes twice comes soon.
const AFTERMATH: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(100);
const PROGRESS: Duration = Duration::from_secs(5);
/// Devices come and go about this often, and stay away for about as long.
const COMING_AND_GOING: Duration = Duration::from_secs(1);

/// What became of it.
#[derive(Debug)]
pub struct Outcome {
    /// The judgement of the book.
    pub verdict: Verdict,
    /// Envelopes that came once more after their acknowledgement was answered OK: the word of it was
    /// lost on its way to the node that stored the envelope meanwhile. They are recognised and
    /// acknowledged again, which is what the contract says; while nothing fails there are none.
    pub offered_again: u64,
    /// Messages that sealed devices show twice, or could not open and have not got since.
    pub shown_wrongly: Vec<String>,
    /// Envelopes that sealed devices could not open and have asked for again: they came so many turns
    /// late that their key was no longer kept.
    pub repaired: usize,
    /// Envelopes that stay in the store though everything has arrived.
    pub left_over: u64,
    /// From due to arrival, by phase.
    pub latencies: Vec<(&'static str, Summary)>,
    /// How often each fault was done.
    pub faults: BTreeMap<&'static str, u32>,
}

impl Outcome {
    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.verdict.is_clean() && self.shown_wrongly.is_empty() && self.left_over == 0
    }

    /// The latencies of a phase.
    pub fn latency(&self, phase: &str) -> Option<&Summary> {
        self.latencies.iter().find(|(name, _)| *name == phase).map(|(_, summary)| summary)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<_> =
            self.faults.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
        writeln!(f, "{}", faults.join(", "))?;
        for (phase, latency) in &self.latencies {
            let Summary { count, p50, p99, max, .. } = latency;
            writeln!(f, "{phase:<16}{count:>8} p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms")?;
        }
        for wrong in self.shown_wrongly.iter().take(5) {
            writeln!(f, "{wrong}")?;
        }
        if self.left_over > 0 {
            writeln!(f, "{} envelopes stay in the store", self.left_over)?;
        }
        if self.repaired > 0 {
            writeln!(
                f,
                "{} envelopes came too late to be opened and were sent anew",
                self.repaired
            )?;
        }
        if self.offered_again > 0 {
            writeln!(f, "{} envelopes came again after their acknowledgement", self.offered_again)?;
        }
        write!(f, "{}", self.verdict)
    }
}

impl Storm {
    /// A storm of about half a minute.
    pub fn short(kind: ClusterKind, seed: u64) -> Self {
        let calm = Duration::from_secs(3);
        // Long enough for each fault to come at least once.
        let faults = Duration::from_secs(if kind == ClusterKind::Scaled { 25 } else { 15 });
        let pause = Duration::from_millis(250);
        Self { kind, seed, opaque: 30, sealed: 10, pause, calm, faults, messages: 0 }
    }

    /// A storm for as many messages as one wants.
    pub fn long(kind: ClusterKind, seed: u64) -> Self {
        let calm = Duration::from_secs(15);
        let faults = Duration::from_mins(2);
        let pause = Duration::from_millis(100);
        Self { kind, seed, opaque: 100, sealed: 20, pause, calm, faults, messages: 0 }
    }

    /// Starts a service of its own and lets it blow. An error is one of the harness.
    pub async fn blow(&self) -> Result<Outcome> {
        let hands = Hands::new();
        hands.tell(&format!("{:?}, SEED={}", self.kind, self.seed));
        let cluster = Cluster::builder(self.kind).private_servers().unlimited_rates();
        let mut cluster = cluster.env("PLASMA_DRAIN_SECONDS", DRAIN_SECONDS).start().await?;
        let cast = Cast::gather(&cluster, self.seed, self.opaque, self.sealed).await?;
        hands.tell(&format!("{} opaque and {} sealed devices", self.opaque, self.sealed));
        cast.meters.restart();

        let (mut senders, stop) = (JoinSet::new(), CancellationToken::new());
        for (place, device) in cast.devices.iter().cloned().enumerate() {
            let dice = Dice::new(self.seed.wrapping_add(place as u64));
            senders.spawn(write(device, dice, self.pause, stop.clone()));
        }
        let latencies = self.phases(&mut cluster, &cast, &hands).await?;
        stop.cancel();
        while let Some(sender) = senders.join_next().await {
            sender?;
        }
        self.end(&cluster, &cast, &hands, latencies).await
    }

    async fn phases(
        &self,
        cluster: &mut Cluster,
        cast: &Cast,
        hands: &Hands,
    ) -> Result<Vec<(&'static str, Summary)>> {
        let mut latencies = Vec::new();
        let mut end_of =
            |phase| latencies.push((phase, cast.meters.take_window().delivery.summary()));
        tokio::time::sleep(self.calm).await;
        end_of("calm");

        let over = CancellationToken::new();
        let lasting = async {
            self.last(cast, hands).await;
            over.cancel();
            Ok(())
        };
        let faults = hands.play(self.seed, cluster, &cast.weak, &over);
        let coming = come_and_go(cast, Dice::new(self.seed), &over);
        tokio::try_join!(lasting, faults, coming)?;
        end_of("faults");

        if let Ok(servers) = cluster.servers() {
            // What dead connections delay is not Redis' doing.
            tokio::time::sleep(LINES_FOUND_DEAD).await;
            end_of("recovering");
            let (redis, again) = (servers.redis.clone(), servers.redis.clone());
            spawn_blocking(move || redis.started()?.kill()).await??;
            hands.tell(&"Redis stays away");
            // What the killing itself delays is of the phase before.
            tokio::time::sleep(AFTERMATH).await;
            end_of("Redis goes");
            tokio::time::sleep(self.calm).await;
            end_of(WITHOUT_REDIS);
            spawn_blocking(move || again.started()?.restart()).await??;
            hands.tell(&"Redis is back");
        }
        tokio::time::sleep(self.calm).await;
        end_of("calm again");
        Ok(latencies)
    }

    /// Lasts as long as faults go on.
    async fn last(&self, cast: &Cast, hands: &Hands) {
        let (begun, mut told) = (Instant::now(), Instant::now());
        while begun.elapsed() < self.faults || cast.ledger.tally().accepted < self.messages {
            tokio::time::sleep(LOOK).await;
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                let tally = cast.ledger.tally();
                hands.tell(&format!(
                    "{} sent, {} answered OK, {} of them not arrived yet",
                    tally.sent, tally.accepted, tally.awaited
                ));
            }
        }
    }

    async fn end(
        &self,
        cluster: &Cluster,
        cast: &Cast,
        hands: &Hands,
        latencies: Vec<(&'static str, Summary)>,
    ) -> Result<Outcome> {
        let until = Instant::now() + ARRIVAL_MAX;
        while cast.ledger.tally().awaited > 0 && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
        tokio::time::sleep(AFTERMATH).await;
        let mut left_over = waiting::count(cluster)?;
        while left_over > 0 && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
            left_over = waiting::count(cluster)?;
        }
        while cast.asked_for()? > 0 && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
        hands.tell(&"everything has arrived, or never will");
        for (failure, count) in cast.meters.readings().failures {
            hands.tell(&format!("{count} × {failure}"));
        }
        let mut verdict = cast.ledger.verdict(Policy { order: Order::Live });
        let offered_again = verdict.wrong.remove(&Wrong::AfterAcknowledgement);
        Ok(Outcome {
            verdict,
            offered_again: offered_again.unwrap_or_default(),
            shown_wrongly: cast.shown_wrongly()?,
            repaired: cast.repaired()?,
            left_over,
            latencies,
            faults: hands.done(),
        })
    }
}

/// Writes as one device, until `stop`.
async fn write(device: Device, mut dice: Dice, pause: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(dice.exponential(pause)) => {}
        }
        let chat = dice.below(device.contacts().max(1));
        // What becomes of it is in the book.
        let _ = device.send(chat, Instant::now()).await;
    }
}

/// Has devices leave, in order and otherwise, and come back. Only opaque ones: what a client that is
/// ended has shown meanwhile, nobody would have seen.
async fn come_and_go(cast: &Cast, mut dice: Dice, over: &CancellationToken) -> Result<()> {
    let opaque: Vec<&Device> =
        cast.devices.iter().filter(|device| matches!(device, Device::Opaque(_))).collect();
    ensure!(!opaque.is_empty(), "there are no opaque devices");
    loop {
        let device = opaque[dice.below(opaque.len())];
        let leaving = if dice.below(2) == 0 { Leaving::InOrder } else { Leaving::AtOnce };
        let pause = dice.around(COMING_AND_GOING);
        tokio::select! {
            () = over.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        device.disconnect(leaving).await;
        tokio::time::sleep(dice.around(COMING_AND_GOING)).await;
        device.connect();
    }
}
