//! What a phase spent, and what of it is left when what runs anyway is taken off.

use anyhow::{Context, Result};

use crate::load::report::Phase;
use crate::load::series::rate;
use crate::size::{Cost, Idle, Unit};

/// What a phase spent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    pub(super) seconds: f64,
    pub(super) cost: Cost,
    /// Memory of the nodes at its end.
    pub(super) resident_kib: f64,
    /// Devices connected times seconds.
    pub(super) device_seconds: f64,
    pub(super) accepted: f64,
    pub(super) stored: f64,
    pub(super) received: f64,
}

impl Spent {
    /// Reads it from a phase of nodes that were started here.
    pub(super) fn of(phase: &Phase) -> Result<Self> {
        let used = phase
            .servers
            .context("costs are measured on nodes that are started for it: leave out --address")?;
        let beneath = used.beneath.map(|beneath| beneath.all);
        let micros = |seconds: Option<f64>| seconds.unwrap_or_default() * 1e6;
        let count = |count: Option<u64>| rate(count.unwrap_or_default(), 1.0);
        let cost = Cost {
            node_micros: micros(Some(used.server_cpu_seconds)),
            postgres_micros: micros(beneath.map(|used| used.postgres_cpu_seconds)),
            redis_micros: micros(beneath.map(|used| used.redis_cpu_seconds)),
            wal_bytes: count(beneath.map(|used| used.wal_bytes)),
            write_transactions: count(beneath.map(|used| used.write_transactions)),
            redis_commands: count(beneath.map(|used| used.redis_commands)),
        };
        let listening = phase.listening.map(|devices| rate(devices as u64, 1.0));
        Ok(Self {
            seconds: phase.seconds,
            cost,
            resident_kib: used.server_resident_mib * 1_024.0,
            device_seconds: phase.seconds * f64::midpoint(listening[0], listening[1]),
            accepted: rate(phase.accepted, 1.0),
            stored: rate(phase.stored, 1.0),
            received: rate(phase.received, 1.0),
        })
    }

    /// What is left of the cost without what runs anyway.
    pub(super) fn beside(&self, nodes: f64, node: &Idle, device: &Idle) -> Cost {
        self.cost - node.second * (nodes * self.seconds) - device.second * self.device_seconds
    }
}

/// A part of a cost for each time; nothing where it was done no times.
pub(super) fn each(cost: Cost, times: f64) -> Unit {
    let each = if times > 0.0 { cost * (1.0 / times) } else { Cost::default() };
    Unit { times, each }
}

/// Parts a cost that was measured at two ratios of batches to messages: what a message costs, and
/// what a batch does. Each point is a cost per message and its batches per message, the one with
/// more batches first.
pub(super) fn apart(alone: (Cost, f64), together: (Cost, f64)) -> [Cost; 2] {
    let further = alone.1 - together.1;
    if further <= 0.0 {
        return [together.0, Cost::default()];
    }
    let batch = (alone.0 - together.0) * (1.0 / further);
    [together.0 - batch * together.1, batch]
}

#[cfg(test)]
mod tests {
    use super::{apart, each};
    use crate::size::Cost;

    fn cost(postgres_micros: f64) -> Cost {
        Cost { postgres_micros, ..Cost::default() }
    }

    #[test]
    fn messages_and_batches_are_told_apart() {
        // 20 for a message, 300 for a batch: alone 1 batch each, together a tenth.
        let [message, batch] = apart((cost(320.0), 1.0), (cost(50.0), 0.1));
        assert!((message.postgres_micros - 20.0).abs() < 1e-9, "{message:?}");
        assert!((batch.postgres_micros - 300.0).abs() < 1e-9, "{batch:?}");
        let [message, batch] = apart((cost(50.0), 0.5), (cost(40.0), 0.5));
        assert_eq!((message, batch), (cost(40.0), cost(0.0)));
    }

    #[test]
    fn what_never_happened_costs_nothing() {
        assert_eq!(each(cost(9.0), 3.0).each, cost(3.0));
        assert_eq!(each(cost(9.0), 0.0).each, cost(0.0));
    }
}
