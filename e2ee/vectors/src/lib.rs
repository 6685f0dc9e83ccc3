//! Test vectors of the end-to-end protocol, for implementations in other languages.
//!
//! Owns the makers of the files in this folder ([`files`]) and their replay ([`replay`]), which
//! recomputes every value of a file from its inputs with bare primitives and from
//! `docs/PROTOCOL.md` alone, and then lets the implementation open what the file holds. No crate of
//! the product depends on this one. The fields are explained in `README.md`.

#[cfg(plasma_toy_primitives)]
compile_error!("toy primitives protect nothing: they are for tests of the protocol alone");

mod account;
pub mod bare;
mod contents;
mod conversation;
mod disclosure;
mod fields;
mod json;
mod linking;
mod links;
mod manifests;
mod prekeys;
pub mod random;
mod recovery;
mod refusals;
mod retry;
mod script;
mod trace;

use std::path::PathBuf;

use serde_json::Value;

pub use self::json::Json;

/// A file: its name, how it is made, and how it is replayed.
struct File {
    name: &'static str,
    make: fn() -> Json,
    replay: fn(&Value),
}

const FILES: &[File] = &[
    File { name: "contact-link", make: links::contact_link, replay: links::replay_contact_link },
    File { name: "content", make: contents::make, replay: contents::replay },
    File { name: "disclosure", make: disclosure::make, replay: disclosure::replay },
    File { name: "handshake", make: conversation::handshake, replay: conversation::replay },
    File { name: "linking", make: linking::make, replay: linking::replay },
    File { name: "manifests", make: manifests::make, replay: manifests::replay },
    File { name: "pq-step", make: conversation::pq_step, replay: conversation::replay },
    File { name: "prekeys", make: prekeys::make, replay: prekeys::replay },
    File { name: "ratchet", make: conversation::ratchet, replay: conversation::replay },
    File { name: "recovery", make: recovery::make, replay: recovery::replay },
    File { name: "retry", make: retry::make, replay: retry::replay },
    File { name: "safety-number", make: links::safety_number, replay: links::replay_safety_number },
];

/// Where the files are checked in.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Makes every file: its name and its text.
pub fn files() -> Vec<(String, String)> {
    FILES.iter().map(|file| (format!("{}.json", file.name), (file.make)().text())).collect()
}

/// Replays a file.
///
/// # Panics
///
/// When a value of the file is not what its inputs give, when the implementation does something
/// else than the file says, and when there is no such file.
pub fn replay(name: &str, file: &Value) {
    let known = FILES.iter().find(|known| name.strip_suffix(".json") == Some(known.name));
    (known.unwrap_or_else(|| panic!("no file {name}")).replay)(file);
}
