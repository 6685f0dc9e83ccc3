//! `plasma-load size`: the unit costs that are checked in agree with the loads that were measured
//! beside them, and would not if one of them were wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The extracts of reports that are checked in.
fn reports() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder().join("measured")).expect("measured loads");
    let mut reports: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    reports.sort();
    reports
}

fn size(words: &[&str], paths: &[PathBuf]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_plasma-load"))
        .arg("size")
        .args(words)
        .args(paths)
        .output()
        .expect("the program runs")
}

fn said(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    text.concat()
}

/// The checked-in costs with a unit that is so many times what was measured.
fn planted(unit: &[&str], times: f64, to: &Path) -> PathBuf {
    let text = std::fs::read(folder().join("costs.json")).expect("unit costs");
    let mut costs: Value = serde_json::from_slice(&text).expect("JSON");
    let mut part = &mut costs;
    for name in unit {
        part = &mut part[*name];
    }
    let wrong = |value: &mut Value| {
        *value = (value.as_f64().expect("a number") * times).into();
    };
    match part.as_object_mut() {
        Some(cost) => cost.values_mut().for_each(wrong),
        None => wrong(part),
    }
    let path = to.join("planted.json");
    std::fs::write(&path, costs.to_string()).expect("a file is written");
    path
}

#[test]
fn the_unit_costs_agree_with_what_was_measured() {
    assert!(reports().len() >= 3, "peak, connected and offline are measured: {:?}", reports());
    let output = size(&["--check"], &reports());
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn the_costs_that_the_loads_tell_of_are_found_out_where_they_are_wrong_by_three_times() {
    let temporary = tempfile::tempdir().unwrap();
    for (unit, times) in [
        (&["units", "visit", "each"][..], 3.0),
        (&["units", "look_up", "each"], 3.0),
        (&["units", "stored", "each"], 3.0),
        (&["units", "far", "each"], 1.0 / 3.0),
        (&["device", "resident_kib"], 3.0),
    ] {
        let costs = planted(unit, times, temporary.path());
        let output = size(&["--costs", costs.to_str().unwrap(), "--check"], &reports());
        assert_eq!(output.status.code(), Some(1), "{unit:?}: {}", said(&output));
        assert!(said(&output).contains("WRONG"), "{unit:?}: {}", said(&output));
    }
}

#[test]
fn the_tables_of_the_document_are_those_that_are_printed() {
    let temporary = tempfile::tempdir().unwrap();
    let document = folder().join("../docs/SCALING.md");
    let copy = temporary.path().join("SCALING.md");
    std::fs::copy(&document, &copy).unwrap();
    let to = copy.to_str().unwrap();
    assert!(size(&["--document", to], &[]).status.success());
    assert!(size(&["--document", to, "--check"], &reports()).status.success());
    let [written, printed] = [&document, &copy].map(|path| std::fs::read_to_string(path).unwrap());
    assert!(written == printed, "docs/SCALING.md is out of date: run `make scaling`");
}

#[test]
fn a_million_users_are_sized_and_bad_numbers_are_named() {
    let output = size(&["--users", "1000000"], &[]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for line in ["messages/s, busiest minutes", "5,000", "Redis shards", "runs out"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let output = size(&["--share-away", "2"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("--share-away must be from 0 to 1"), "{}", said(&output));
    let output = size(&["--costs", "nowhere.json"], &[]);
    assert!(said(&output).contains("nowhere.json"), "{}", said(&output));
}
