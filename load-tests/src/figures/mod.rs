//! The figures, each measured in pairs of runs: ours, the yardstick, ours, the yardstick, …

pub mod idle_memory;
pub mod latency_half;
pub mod offline;
pub mod purchase;
pub mod ratchet;
pub mod relay_connect;
pub mod relay_unary;
pub mod renewals;
mod stage;
mod window;

use serde_json::{Map, Value};

/// Says on the terminal what is going on.
pub fn progress(figure: &str, what: impl std::fmt::Display) {
    eprintln!("{figure:<19} {what}");
}

/// What is worth knowing of a run, from a JSON object.
fn details(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// Three digits behind the point.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
