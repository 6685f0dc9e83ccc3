//! Whether the model is right: what it predicts for the very doings of a load, against what the load
//! measured. The unit costs are those of profile `costs`, never of the reports that are checked.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::costs::{Costs, Doings};
use super::demand::{SWEEPS_PER_SECOND, SWEPT_SECONDS};

/// CPU seconds below which a measurement says little: clocks that tick in hundredths, and what is
/// done once, such as the plans that each connection to the database makes of its statements.
const CPU_SECONDS_LEAST: f64 = 1.0;
/// The same of write-ahead log: a page that is written for the first time after a checkpoint is
/// written whole.
const WAL_BYTES_LEAST: f64 = 2e6;
/// Memory of devices and chats, in MiB, below which what nodes do besides has as much of it.
const GROWTH_MIB_LEAST: f64 = 40.0;

/// As much of a report as is checked; what `--extract` keeps of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What was played.
    pub profile: String,
    /// What was loaded.
    pub target: String,
    /// How many nodes it had.
    pub nodes: f64,
    /// The calls that carried messages.
    pub transport: String,
    /// Bytes of ciphertext of a message.
    pub ciphertext_length: f64,
    /// Devices that seal what they write.
    pub sealed_devices: u64,
    /// The parts.
    pub phases: Vec<Part>,
}

/// A part of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Name.
    pub name: String,
    /// How long.
    pub seconds: f64,
    /// Messages answered OK.
    pub accepted: f64,
    /// Envelopes stored.
    pub stored: f64,
    /// Envelopes that arrived.
    pub received: f64,
    /// What happened beneath, how often.
    pub happenings: BTreeMap<String, f64>,
    /// Devices that listened at the beginning and at the end.
    pub listening: [f64; 2],
    /// CPU of the nodes.
    pub server_cpu_seconds: f64,
    /// Memory of the nodes at the end.
    pub server_resident_mib: f64,
    /// CPU of PostgreSQL; none on SQLite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres_cpu_seconds: Option<f64>,
    /// CPU of Redis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis_cpu_seconds: Option<f64>,
    /// Write-ahead log of PostgreSQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<f64>,
}

/// A quantity of a part, predicted and measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The load and its part.
    pub of: String,
    /// What was measured.
    pub quantity: &'static str,
    /// By unit costs.
    pub predicted: f64,
    /// By the load.
    pub measured: f64,
    /// Whether it is large enough to be held against the model.
    pub counts: bool,
}

impl Comparison {
    /// Measured over predicted.
    pub fn ratio(&self) -> f64 {
        self.measured / self.predicted
    }

    /// Whether the two are within a factor of each other, where that is asked.
    pub fn holds(&self, factor: f64) -> bool {
        !self.counts || (1.0 / factor..=factor).contains(&self.ratio())
    }
}

impl Measured {
    /// Reads a report of `plasma-load`, or an extract of one.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read(path).with_context(|| format!("read the report {name}"))?;
        serde_json::from_slice(&text).with_context(|| {
            format!("{name} is no report of a load on nodes that were started for it")
        })
    }

    /// Compares with what unit costs predict.
    pub fn compare(&self, costs: &Costs) -> Result<Vec<Comparison>> {
        ensure!(
            self.profile != "costs",
            "a report of `costs` is where unit costs come from: it proves nothing"
        );
        ensure!(
            self.sealed_devices == 0,
            "sealed devices write receipts that the report does not count: load with --sealed 0"
        );
        ensure!(
            self.transport == costs.transport
                && (self.ciphertext_length - costs.ciphertext_length).abs() < 1.0,
            "the unit costs are of {} messages of {} bytes, the report of {} ones of {}",
            costs.transport,
            costs.ciphertext_length,
            self.transport,
            self.ciphertext_length
        );
        let is_scaled = self.phases.iter().any(|part| part.postgres_cpu_seconds.is_some());
        ensure!(
            is_scaled == costs.is_scaled,
            "the unit costs are of {}, the report of {}",
            costs.target,
            self.target
        );
        let mut known = 0.0;
        let mut compared = Vec::new();
        for part in &self.phases {
            known += part.happened("looked_up");
            compared.extend(self.compare_part(part, known, costs)?);
        }
        Ok(compared)
    }

    fn compare_part(&self, part: &Part, known: f64, costs: &Costs) -> Result<Vec<Comparison>> {
        let cost = costs.of(&part.doings(self.nodes, costs))?;
        // Beside what idle nodes have, which would hide what devices take.
        let idle = costs.resident_mib(self.nodes, 0.0, 0.0);
        let growth = costs.resident_mib(self.nodes, part.listening[1], known) - idle;
        let cpu = |quantity, micros: f64, measured: Option<f64>| {
            (quantity, micros / 1e6, measured, CPU_SECONDS_LEAST)
        };
        let quantities = [
            cpu("node CPU, s", cost.node_micros, Some(part.server_cpu_seconds)),
            cpu("PostgreSQL CPU, s", cost.postgres_micros, part.postgres_cpu_seconds),
            cpu("Redis CPU, s", cost.redis_micros, part.redis_cpu_seconds),
            ("WAL, bytes", cost.wal_bytes, part.wal_bytes, WAL_BYTES_LEAST),
        ];
        let of = format!("{}: {}", self.profile, part.name);
        let mut compared: Vec<Comparison> = quantities
            .into_iter()
            .filter_map(|(quantity, predicted, measured, least)| {
                let measured = measured?;
                let counts = measured.max(predicted) >= least;
                Some(Comparison { of: of.clone(), quantity, predicted, measured, counts })
            })
            .collect();
        compared.push(Comparison {
            of,
            quantity: "memory added, MiB",
            predicted: growth,
            measured: (part.server_resident_mib - idle).max(0.0),
            counts: growth >= GROWTH_MIB_LEAST,
        });
        Ok(compared)
    }
}

impl Part {
    fn happened(&self, what: &str) -> f64 {
        self.happenings.get(what).copied().unwrap_or_default()
    }

    /// What was done, as unit costs count it.
    fn doings(&self, nodes: f64, costs: &Costs) -> Doings {
        let online = (self.accepted - self.stored).max(0.0);
        let taken = (self.received - online).max(0.0);
        let visits = self.happened("opened");
        let stored_per_second = self.stored / self.seconds.max(1e-9);
        // The rows of a sweep's window, on average: it fills first.
        let filling = self.seconds.min(SWEPT_SECONDS);
        let swept_seconds = filling * (1.0 - filling / (2.0 * self.seconds.max(1e-9)));
        // A node without devices does not sweep.
        let sweeping =
            if self.listening.iter().any(|devices| *devices > 0.0) { nodes } else { 0.0 };
        // Users write to those enrolled before and after them, who begin on other nodes.
        let far = if nodes > 1.0 { online } else { 0.0 };
        Doings {
            node_seconds: nodes * self.seconds,
            device_seconds: f64::midpoint(self.listening[0], self.listening[1]) * self.seconds,
            sign_ins: self.happened("signed_in"),
            visits,
            near: online - far,
            far,
            look_ups: self.happened("looked_up"),
            stored: self.stored,
            commits: nodes * self.seconds * costs.commits(stored_per_second / nodes),
            first_taken: visits.min(taken),
            further_taken: taken - visits.min(taken),
            swept: sweeping * SWEEPS_PER_SECOND * self.seconds * stored_per_second * swept_seconds,
            chats: self.happened("chat_opened"),
            users: 0.0,
        }
    }
}
