//! Files of a data folder: size, time of the last change and content.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};

/// One file at one moment. The content tells apart what size and a coarse clock do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileState {
    bytes: u64,
    modified: SystemTime,
    digest: u64,
}

pub(super) fn read(folder: &Path) -> Result<BTreeMap<PathBuf, FileState>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() && is_store(&path) {
                match state(&path) {
                    Ok(state) => drop(found.insert(path, state)),
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => {
                        return Err(error).with_context(|| path.display().to_string());
                    }
                }
            }
        }
    }
    Ok(found)
}

fn is_store(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !name.ends_with("-shm") && !name.ends_with(".log")
}

fn state(path: &Path) -> std::io::Result<FileState> {
    let about = std::fs::metadata(path)?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&std::fs::read(path)?);
    Ok(FileState { bytes: about.len(), modified: about.modified()?, digest: hasher.finish() })
}

pub(super) fn changed(
    now: &BTreeMap<PathBuf, FileState>,
    before: &BTreeMap<PathBuf, FileState>,
) -> Vec<PathBuf> {
    let mut changed: Vec<PathBuf> = now
        .iter()
        .filter(|(path, state)| before.get(*path) != Some(state))
        .map(|(path, _)| path.clone())
        .collect();
    changed.extend(before.keys().filter(|path| !now.contains_key(*path)).cloned());
    changed
}

pub(super) fn size(files: &BTreeMap<PathBuf, FileState>) -> i64 {
    let bytes: u64 = files.values().map(|file| file.bytes).sum();
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
