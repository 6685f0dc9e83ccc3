//! Messages whose devices are away: stored together and alone, swept by, and taken.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::couples::{Couple, write};
use super::spent::{Spent, apart, each};
use super::{Bench, Roles, leave};
use crate::load::series::rate;
use crate::size::{Cost, SWEEPS_PER_SECOND, Unit};
use crate::traffic::Device;

/// How long sweeps are watched: rows must stay within the ten seconds that a sweep looks back.
const SWEEP_WINDOW: Duration = Duration::from_secs(6);
/// Messages that are sent together for each that is sent alone.
const ALONE: usize = 8;

/// What it costs to store.
pub(super) struct Stored {
    pub(super) message: Unit,
    pub(super) commit: Unit,
    /// For which a commit holds up the next.
    pub(super) millis: f64,
    /// Of the store, for each message.
    pub(super) bytes: f64,
}

/// What it costs to take.
pub(super) struct Taken {
    pub(super) first: Unit,
    pub(super) further: Unit,
    pub(super) swept: Unit,
}

impl Bench<'_> {
    /// What it costs to store a message, and the commit of a batch of them.
    pub(super) async fn store(&mut self, couples: &[Couple]) -> Result<Stored> {
        let plan = self.stage.plan;
        let couples = &couples[..plan.in_flight.min(couples.len())];
        // Each chat is looked up first, and each writer connected.
        write(couples, couples.len(), plan.in_flight).await?;
        let before = self.target.envelopes_bytes()?;
        let mut points = Vec::new();
        let (mut stored, mut millis) = (0.0, Vec::new());
        for (name, messages, in_flight) in [
            ("store together", plan.messages, plan.in_flight),
            ("store alone", plan.messages / ALONE, 1),
        ] {
            self.stage.begin(&format!("{messages} messages to devices that are away, {name}"))?;
            write(couples, messages, in_flight).await?;
            let (spent, cost) = self.end(name)?;
            ensure!(
                spent.stored >= 0.99 * spent.accepted,
                "devices that are away were not: {spent:?}"
            );
            let unit = each(cost, spent.stored);
            points.push((unit, unit.each.write_transactions));
            stored += spent.stored;
            millis.push(self.holds_up(&spent));
        }
        let (together, alone) = (points[0], points[1]);
        let [message, commit] = if self.target.beneath()?.is_some() {
            apart((alone.0.each, alone.1), (together.0.each, together.1))
        } else {
            [together.0.each, Cost::default()]
        };
        Ok(Stored {
            message: Unit { times: together.0.times, each: message },
            commit: Unit { times: alone.0.times, each: commit },
            millis: millis[0],
            bytes: (self.target.envelopes_bytes()? - before).max(0.0) / stored,
        })
    }

    /// For how many milliseconds a commit holds up the next: what passes between two commits of a
    /// node, beside what passes between two messages.
    fn holds_up(&self, spent: &Spent) -> f64 {
        let millis = self.nodes * spent.seconds * 1_000.0;
        let commits = spent.cost.write_transactions;
        if commits > 0.0 { (millis / commits - millis / spent.stored).max(0.0) } else { 0.0 }
    }

    /// What it costs to take what waits, and what sweeps do meanwhile.
    pub(super) async fn take_all(&mut self, roles: &Roles, visit: Unit) -> Result<Taken> {
        let in_flight = self.stage.plan.in_flight;
        let (many, visits) =
            self.take("take many", &roles.new[..in_flight.min(roles.new.len())]).await?;
        // One for each.
        write(&roles.unknown, roles.unknown.len(), in_flight).await?;
        let swept = self.sweeps(roles.unknown.len()).await?;
        let (one, lone) = self.take("take one", &roles.unknown).await?;
        let first = each(one.1 - visit.each * lone, one.0.received);
        let further = (many.0.received - visits).max(0.0);
        let rest = many.1 - visit.each * visits - first.each * visits;
        Ok(Taken { first, further: each(rest, further), swept })
    }

    /// Has those who were written to come, take what waits, and leave; what that cost, and how many
    /// they are.
    async fn take(&mut self, name: &str, couples: &[Couple]) -> Result<((Spent, Cost), f64)> {
        let devices: Vec<Device> =
            couples.iter().map(|couple| Device::Opaque(Arc::clone(&couple.to))).collect();
        self.stage.begin(&format!("{} devices take what waits", devices.len()))?;
        self.stage.connect(&devices).await?;
        self.stage.drain().await;
        leave(&devices).await;
        let spent = self.end(name)?;
        Ok((spent, rate(devices.len() as u64, 1.0)))
    }

    /// What a sweep costs for each row that it comes by.
    async fn sweeps(&mut self, rows: usize) -> Result<Unit> {
        let window = SWEEP_WINDOW.min(self.stage.plan.window);
        self.stage.begin("sweeps come by what was stored just now")?;
        tokio::time::sleep(window).await;
        let (spent, cost) = self.end("sweeps")?;
        Ok(each(cost, rate(rows as u64, 1.0) * self.nodes * SWEEPS_PER_SECOND * spent.seconds))
    }
}
