//! Figures: medians of interleaved runs, as a table for people and JSON for programs.

use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use serde_json::{Map, Value};

/// One pair of runs: ours, and the yardstick's right after it.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Ours.
    pub value: f64,
    /// The yardstick's, in the same unit.
    pub yardstick: f64,
    /// What else is worth knowing of the two.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// Name, such as `relay.unary`.
    pub name: String,
    /// Median of ours.
    pub value: f64,
    /// Unit of both.
    pub unit: &'static str,
    /// Median of the yardstick's.
    pub yardstick: f64,
    /// `value` divided by `yardstick`.
    pub ratio: f64,
    /// Every pair, in the order in which they ran.
    pub runs: Vec<Run>,
}

impl Figure {
    /// Takes the medians of at least three pairs.
    pub fn of(name: impl Into<String>, unit: &'static str, runs: Vec<Run>) -> Self {
        let value = median(runs.iter().map(|run| run.value));
        let yardstick = median(runs.iter().map(|run| run.yardstick));
        Self { name: name.into(), value, unit, yardstick, ratio: value / yardstick, runs }
    }
}

/// The middle of some numbers, or the mean of the two in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even.is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// Draws the table.
pub fn table(figures: &[Figure]) -> Table {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    table.set_header([
        "figure",
        "ours",
        "yardstick",
        "unit",
        "ratio",
        "runs (ours/yardstick/vodozemac)",
    ]);
    for column in [1, 2, 4] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    for figure in figures {
        let runs: Vec<String> = figure
            .runs
            .iter()
            .map(|run| {
                let pair = format!("{}/{}", number(run.value), number(run.yardstick));
                let beside = run.details.get("vodozemac").and_then(Value::as_f64);
                beside.map_or_else(|| pair.clone(), |beside| format!("{pair}/{}", number(beside)))
            })
            .collect();
        table.add_row([
            figure.name.clone(),
            number(figure.value),
            number(figure.yardstick),
            figure.unit.to_owned(),
            format!("{:.2}", figure.ratio),
            runs.join("  "),
        ]);
    }
    table
}

/// Writes the figures as a JSON array; makes the folder where there is none.
pub fn write(figures: &[Figure], path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut text = serde_json::to_string_pretty(figures)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

fn number(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Run, median, table, write};

    #[test]
    fn the_median_does_not_depend_on_the_order() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 3.0, 2.0].into_iter()) - 2.5).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn a_figure_is_written_with_exactly_the_fields_that_readers_expect() {
        let run = |value, yardstick| Run { value, yardstick, details: serde_json::Map::new() };
        let runs = vec![run(90.0, 60.0), run(120.0, 80.0), run(100.0, 50.0)];
        let figure = Figure::of("relay.unary", "µs/message", runs);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/bench.json");
        write(std::slice::from_ref(&figure), &path).unwrap();
        let read: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let fields: Vec<&String> = read[0].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["name", "ratio", "runs", "unit", "value", "yardstick"]);
        assert_eq!(read[0]["value"], 100.0);
        assert_eq!(read[0]["yardstick"], 60.0);
        assert_eq!(read[0]["runs"].as_array().unwrap().len(), 3);
        assert!(table(&[figure]).to_string().contains("1.67"));
    }
}
