//! What a load was: a table for people, JSON for programs, and a page with plots.

mod html;
mod plot;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use serde_json::{Map, Value};

use super::beneath::UsedBeneath;
use super::options::Profile;
use super::series::{Point, rate};
use super::server::Used;
use crate::ledger::Verdict;
use crate::meters::{Happening, Summary};
use crate::size::Costs;
use crate::traffic::Transport;

/// A part of a load.
#[derive(Debug, Clone, Serialize)]
pub struct Phase {
    /// Name.
    pub name: String,
    /// How long.
    pub seconds: f64,
    /// Messages whose sending began.
    pub sent: u64,
    /// Messages that were answered OK.
    pub accepted: u64,
    /// Envelopes that were answered as stored.
    pub stored: u64,
    /// Envelopes that arrived, each counted once.
    pub received: u64,
    /// The same as a rate.
    pub received_per_second: f64,
    /// From due to the first arrival, in milliseconds, where the device was there.
    pub delivery: Summary,
    /// The same where the device was away when the message was due.
    pub caught_up: Summary,
    /// From due to the answer of the send.
    pub answer: Summary,
    /// Points of the distribution of `delivery`: part of all, milliseconds.
    pub distribution: Vec<(f64, f64)>,
    /// What happened beneath, how often.
    pub happenings: BTreeMap<Happening, u64>,
    /// Devices that listened at the beginning and at the end.
    pub listening: [usize; 2],
    /// What the nodes and the servers beneath them used; none where they were not started here.
    #[serde(flatten)]
    pub servers: Option<ServersUsed>,
    /// What else is worth knowing.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What the service used in a part of a load, with what that is for each envelope that arrived.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServersUsed {
    /// User and system time of the nodes.
    pub server_cpu_seconds: f64,
    /// The same for each envelope that arrived, in microseconds.
    pub server_micros_per_message: Option<f64>,
    /// Memory of the nodes at the end.
    pub server_resident_mib: f64,
    /// What PostgreSQL and Redis used; none where they were not started here.
    #[serde(flatten)]
    pub beneath: Option<BeneathUsed>,
}

/// What PostgreSQL and Redis used.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BeneathUsed {
    /// In all.
    #[serde(flatten)]
    pub all: UsedBeneath,
    /// CPU of PostgreSQL for each envelope that arrived, in microseconds.
    pub postgres_micros_per_message: Option<f64>,
    /// CPU of Redis for each envelope that arrived, in microseconds.
    pub redis_micros_per_message: Option<f64>,
}

impl ServersUsed {
    /// What was used while so many envelopes arrived.
    pub fn of(used: &Used, received: u64) -> Self {
        let each = |seconds: f64| (received > 0).then(|| seconds * 1e6 / rate(received, 1.0));
        Self {
            server_cpu_seconds: used.cpu_seconds,
            server_micros_per_message: each(used.cpu_seconds),
            server_resident_mib: used.resident_mib,
            beneath: used.beneath.map(|all| BeneathUsed {
                all,
                postgres_micros_per_message: each(all.postgres_cpu_seconds),
                redis_micros_per_message: each(all.redis_cpu_seconds),
            }),
        }
    }
}

/// A load that is over.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// What was played.
    pub profile: Profile,
    /// What was loaded.
    pub target: String,
    /// How many nodes it had.
    pub nodes: usize,
    /// The calls that carried messages.
    pub transport: Transport,
    /// Bytes of ciphertext of an opaque message.
    pub ciphertext_length: usize,
    /// Devices that wrote random bytes.
    pub devices: usize,
    /// Devices that were the Rust client.
    pub sealed_devices: usize,
    /// The seed of who wrote when to whom.
    pub seed: u64,
    /// The parts, in the order in which they were played.
    pub phases: Vec<Phase>,
    /// Second by second.
    pub series: Vec<Point>,
    /// What happened beneath, how often.
    pub happenings: BTreeMap<Happening, u64>,
    /// Why calls and streams failed, how often.
    pub failures: BTreeMap<String, u64>,
    /// Whether every promise was kept.
    pub is_clean: bool,
    /// The judgement.
    pub verdict: Verdict,
    /// The unit costs that the profile `costs` measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub costs: Option<Costs>,
    /// What the profile tells beside.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Outcome {
    /// Writes `<path>.json` and `<path>.html`; makes the folder where there is none.
    pub fn write(&self, path: &Path) -> Result<[PathBuf; 2]> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let named = |extension: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(extension);
            PathBuf::from(name)
        };
        let (json, html) = (named(".json"), named(".html"));
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        std::fs::write(&json, text).with_context(|| format!("write {}", json.display()))?;
        std::fs::write(&html, html::page(self))
            .with_context(|| format!("write {}", html.display()))?;
        Ok([json, html])
    }

    /// Draws the table and says what else is worth knowing.
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} on {}: {} devices, {} of them sealed, {:?} transport\n{}\n",
            self.profile.name(),
            self.target,
            self.devices + self.sealed_devices,
            self.sealed_devices,
            self.transport,
            table(&self.phases)
        );
        for (key, value) in &self.more {
            // Writing to a string never fails.
            let _ = writeln!(text, "{key}: {value}");
        }
        let happenings: Vec<String> =
            self.happenings.iter().map(|(what, count)| format!("{what:?} {count}")).collect();
        let _ = writeln!(text, "beneath: {}", happenings.join(", "));
        for (why, count) in &self.failures {
            let _ = writeln!(text, "failed {count} times: {why}");
        }
        let _ = write!(text, "{}", self.verdict);
        text
    }
}

/// What the columns of the table say of a phase.
const COLUMNS: [&str; 15] = [
    "phase",
    "s",
    "sent",
    "received",
    "per s",
    "stored",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "max ms",
    "server µs/msg",
    "server MiB",
    "pg µs/msg",
    "redis µs/msg",
    "WAL MB",
];

fn row(phase: &Phase) -> [String; COLUMNS.len()] {
    let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let servers = phase.servers.as_ref();
    let beneath = servers.and_then(|used| used.beneath.as_ref());
    [
        phase.name.clone(),
        number(phase.seconds),
        phase.sent.to_string(),
        phase.received.to_string(),
        number(phase.received_per_second),
        phase.stored.to_string(),
        number(phase.delivery.p50),
        number(phase.delivery.p99),
        number(phase.delivery.p99_9),
        number(phase.delivery.max),
        optional(servers.and_then(|used| used.server_micros_per_message)),
        optional(servers.map(|used| used.server_resident_mib)),
        optional(beneath.and_then(|used| used.postgres_micros_per_message)),
        optional(beneath.and_then(|used| used.redis_micros_per_message)),
        optional(beneath.map(|used| rate(used.all.wal_bytes, 1e6))),
    ]
}

fn table(phases: &[Phase]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(COLUMNS);
    for column in 1..COLUMNS.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for phase in phases {
        table.add_row(row(phase));
    }
    table
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests;
