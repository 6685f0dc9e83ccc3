//! What the sources of pure rules name.

use std::path::{Path, PathBuf};

/// Crates of transport, runtime and stores.
const FOREIGN: [&str; 8] =
    ["axum", "fred", "rusqlite", "sea_orm", "sqlx", "tokio", "tokio_util", "tonic"];

/// Every Rust file under a folder.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The foreign crates that a source names outside its comments, with line numbers.
pub(crate) fn foreign_names(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let words = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        found.extend(
            words
                .filter(|word| FOREIGN.contains(word))
                .map(|word| format!("{}: {word}", index + 1)),
        );
    }
    found
}
