//! A length or a count in a few bytes does not make a decoder allocate much.

use std::fs;

use plasma_fuzz_targets::{TARGETS, corpus};

/// Far above what replaying takes, far below what a count of 2³² entries would.
const LIMIT_KIB: u64 = 256 * 1024;

/// The most address space that this process has had, which counts what is reserved and not used.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmPeak:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn no_length_or_count_allocates_what_it_claims() {
    let Some(before) = peak_kib() else {
        println!("not checked: the system does not tell how much memory was reserved");
        return;
    };
    for target in TARGETS {
        // The last ones of a target hold the most.
        for valid in corpus::valid(target.name).iter().rev().take(3) {
            for at in 0..valid.len() {
                for length in [2, 4] {
                    let mut bytes = valid.clone();
                    let end = bytes.len().min(at + length);
                    bytes[at..end].fill(0xff);
                    (target.run)(&bytes);
                }
            }
        }
    }
    let grown = peak_kib().unwrap() - before;
    println!("{grown} KiB more than before");
    assert!(grown < LIMIT_KIB, "{grown} KiB were reserved");
}
