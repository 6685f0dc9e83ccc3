//! The direction of dependencies: what may not be linked to what, and what the pure rules of a
//! context may not name.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

#[cfg(test)]
mod graph;
#[cfg(test)]
mod sources;

use std::path::{Path, PathBuf};

use graph::Graph;
use serde_json::json;

/// The crates that may not reach (through normal dependencies, however far) the others.
const FORBIDDEN: &[(&[&str], &[&str])] = &[
    (&["plasma-tenant"], &["plasma-billing", "plasma-messaging", "plasma-api"]),
    (&["plasma-billing"], &["plasma-tenant", "plasma-messaging", "plasma-api"]),
    (&["plasma-messaging"], &["plasma-tenant", "plasma-billing", "plasma-api"]),
    (&["plasma-kit"], &["plasma-tenant", "plasma-billing", "plasma-messaging", "plasma-api"]),
    (&["plasma-proto"], &["plasma-kit"]),
    (
        &[
            "plasma-api",
            "plasma-billing",
            "plasma-identity",
            "plasma-kit",
            "plasma-messaging",
            "plasma-proof",
            "plasma-proto",
            "plasma-tenant",
        ],
        &[
            "plasma-client",
            "plasma-demo",
            "plasma-e2ee",
            "plasma-load-tests",
            "plasma-testkit",
            "plasma-wallet-provider",
        ],
    ),
    // An example for partners: it stands on the contract alone.
    (&["plasma-wallet-provider"], &["plasma-billing", "plasma-kit", "plasma-tenant"]),
    (
        &["plasma-e2ee", "plasma-identity", "plasma-proof"],
        &["fred", "hyper", "plasma-kit", "plasma-proto", "rusqlite", "sea-orm", "tokio", "tonic"],
    ),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn violations(graph: &Graph) -> Vec<String> {
    let mut found = Vec::new();
    for (from, forbidden) in FORBIDDEN {
        for from in *from {
            let reached = graph.reachable(from);
            for to in *forbidden {
                if let Some(path) = reached.get(*to) {
                    found.push(path.join(" -> "));
                }
            }
        }
    }
    found
}

#[test]
fn no_crate_reaches_what_it_must_not_know() {
    let graph = Graph::of_workspace(&workspace());
    for (from, forbidden) in FORBIDDEN {
        // A crate that was renamed would satisfy every rule.
        for name in from.iter().chain(*forbidden) {
            assert!(graph.has(name), "the rules name {name}, which is not built");
        }
    }
    assert_eq!(violations(&graph), [""; 0]);
}

#[test]
fn a_forbidden_edge_is_found_however_far_away() {
    let graph = Graph::read(&json!({
        "packages": [
            { "id": "m", "name": "plasma-messaging" },
            { "id": "x", "name": "in-between" },
            { "id": "b", "name": "plasma-billing" },
            { "id": "e", "name": "plasma-e2ee" },
        ],
        "resolve": { "nodes": [
            { "id": "m", "deps": [
                { "pkg": "x", "dep_kinds": [{ "kind": null }] },
                { "pkg": "e", "dep_kinds": [{ "kind": "dev" }] },
            ] },
            { "id": "x", "deps": [{ "pkg": "b", "dep_kinds": [{ "kind": "dev" }, { "kind": null }] }] },
            { "id": "b", "deps": [] },
            { "id": "e", "deps": [] },
        ] },
    }));
    // The dev-dependency on e2ee is allowed; billing is reached through another crate.
    assert_eq!(violations(&graph), ["plasma-messaging -> in-between -> plasma-billing"]);
}

#[test]
fn the_rules_of_a_context_name_no_transport_runtime_or_store() {
    for context in ["tenant", "billing", "messaging"] {
        let domain = workspace().join(context).join("src/domain");
        let files = sources::rust_files(&domain);
        assert!(!files.is_empty(), "{} has no rules", domain.display());
        for file in files {
            let source = std::fs::read_to_string(&file).unwrap();
            assert_eq!(sources::foreign_names(&source), [""; 0], "{}", file.display());
        }
    }
}

#[test]
fn a_foreign_name_is_found_in_code_and_passed_over_in_a_comment() {
    assert_eq!(sources::foreign_names("use tonic::{Code, Status};"), ["1: tonic"]);
    assert_eq!(sources::foreign_names("\nfn f() -> sea_orm::DbErr {}"), ["2: sea_orm"]);
    assert_eq!(sources::foreign_names("//! Pure: no tokio, no tonic.\nuse std::fmt;"), [""; 0]);
    assert_eq!(sources::foreign_names("let tonics = my_tokio();"), [""; 0]);
}
