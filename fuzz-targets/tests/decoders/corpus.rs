//! The corpus that is checked in: what the generator makes and what cargo-fuzz has found since.

use std::collections::BTreeSet;
use std::fs;

use plasma_fuzz_targets::{TARGETS, corpus, target};

/// Every file of every target: its name and what it holds.
pub fn files() -> Vec<(String, String, Vec<u8>)> {
    let mut files = Vec::new();
    for folder in fs::read_dir(corpus::folder()).unwrap() {
        let folder = folder.unwrap();
        for file in fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let name = |name: std::ffi::OsString| name.into_string().unwrap();
            let bytes = fs::read(file.path()).unwrap();
            files.push((name(folder.file_name()), name(file.file_name()), bytes));
        }
    }
    files
}

#[test]
fn every_file_of_the_corpus_replays() {
    for (folder, file, bytes) in files() {
        println!("{folder}/{file}: {} bytes", bytes.len());
        let accepted = (target(&folder).run)(&bytes);
        assert!(accepted || !file.starts_with("valid-"), "{folder}/{file} is refused");
        assert!(!accepted || !file.starts_with("refused-"), "{folder}/{file} is accepted");
    }
}

#[test]
fn the_corpus_is_what_its_generator_makes_and_small() {
    let files = files();
    for made in corpus::entries() {
        let found =
            files.iter().find(|(folder, file, _)| *folder == made.target && *file == made.file);
        let (_, _, bytes) =
            found.unwrap_or_else(|| panic!("{}/{} is missing", made.target, made.file));
        assert!(*bytes == made.bytes, "{}/{} differs", made.target, made.file);
    }
    let folders: BTreeSet<&str> = files.iter().map(|(folder, ..)| folder.as_str()).collect();
    assert_eq!(folders, TARGETS.iter().map(|target| target.name).collect());
    for folder in folders {
        assert!(files.iter().filter(|(target, ..)| target == folder).count() <= 40, "{folder}");
    }
    assert!(files.iter().map(|(_, _, bytes)| bytes.len()).sum::<usize>() < 1 << 20);
}
