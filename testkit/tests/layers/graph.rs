//! The graph of normal dependencies, as `cargo metadata` tells it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Package names and their normal dependencies.
pub(crate) struct Graph {
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Graph {
    /// Asks cargo about the workspace, for this machine's platform, from what is downloaded.
    pub(crate) fn of_workspace(root: &Path) -> Self {
        let host = run(Command::new("rustc").arg("-vV"));
        let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let metadata = run(Command::new(cargo).current_dir(root).args([
            "metadata",
            "--format-version",
            "1",
            "--offline",
            "--filter-platform",
            host,
        ]));
        Self::read(&serde_json::from_str(&metadata).unwrap())
    }

    /// Reads what `cargo metadata` writes.
    pub(crate) fn read(metadata: &Value) -> Self {
        let names: BTreeMap<&str, &str> = list(&metadata["packages"])
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let from = edges.entry(names[text(&node["id"])].to_owned()).or_default();
            for dependency in list(&node["deps"]) {
                if list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null()) {
                    from.insert(names[text(&dependency["pkg"])].to_owned());
                }
            }
        }
        Self { edges }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.edges.contains_key(name)
    }

    /// Every package that `from` links, with a shortest way to it.
    pub(crate) fn reachable(&self, from: &str) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        let mut open = VecDeque::from([vec![from.to_owned()]]);
        while let Some(path) = open.pop_front() {
            let last = path.last().unwrap();
            for next in self.edges.get(last).into_iter().flatten() {
                if !found.contains_key(next) {
                    let path: Vec<String> = path.iter().chain([next]).cloned().collect();
                    found.insert(next.clone(), path.clone());
                    open.push_back(path);
                }
            }
        }
        found
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
