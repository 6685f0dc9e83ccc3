//! Random mutations of valid structures, with the stable compiler.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::panic::catch_unwind;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use plasma_fuzz_targets::{TARGETS, corpus};

const ROUNDS: usize = 2_000;

/// `PLASMA_FUZZ_SEED` repeats a run.
fn seed() -> u64 {
    match std::env::var("PLASMA_FUZZ_SEED") {
        Ok(text) => text.parse().expect("PLASMA_FUZZ_SEED is a number"),
        Err(_) => RandomState::new().build_hasher().finish(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

#[test]
fn mutations_break_no_promise() {
    let seed = seed();
    println!("PLASMA_FUZZ_SEED={seed}");
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    for target in TARGETS {
        let valid = corpus::valid(target.name);
        let mut accepted = 0;
        for _ in 0..ROUNDS {
            let bytes = corpus::mutate(&valid, &mut rng);
            let Ok(taken) = catch_unwind(|| (target.run)(&bytes)) else {
                panic!("{} breaks a promise at {}", target.name, hex(&bytes));
            };
            accepted += usize::from(taken);
        }
        println!("{}: {accepted} of {ROUNDS} accepted", target.name);
    }
}
