//! How many histories are played, and what is printed of them.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::thread;

use crate::history::History;
use crate::oracle::Counts;
use crate::shrink::{attempt, shrink};

const BOUNDED: u64 = 32;
const LONG: u64 = if cfg!(plasma_toy_primitives) { 100_000 } else { 1_000 };
const LONG_THREADS: u64 = 2;

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Plays the histories of `count` seeds.
fn run(count: u64, threads: u64) {
    let fresh = || RandomState::new().hash_one("seed") >> 16;
    let (seed, count) =
        (number("PLASMA_SEED").unwrap_or_else(fresh), number("PLASMA_HISTORIES").unwrap_or(count));
    println!("histories of the seeds {seed} to {}", seed + count - 1);
    let worker = |first: u64| {
        let mut total = Counts::default();
        for seed in (seed + first..seed + count).step_by(usize::try_from(threads).unwrap()) {
            match attempt(&History::draw(seed), false) {
                Ok(counts) => total.add(&counts),
                Err(failure) => return Err((seed, failure)),
            }
        }
        Ok(total)
    };
    let results: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads).map(|first| scope.spawn(move || worker(first))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut total = Counts::default();
    for result in results {
        match result {
            Ok(counts) => total.add(&counts),
            Err((seed, failure)) => report(seed, failure),
        }
    }
    println!("{total:#?}");
}

fn report(seed: u64, failure: String) -> ! {
    let (history, failure) = shrink(History::draw(seed), failure);
    println!("{failure}\n\nPLASMA_SEED={seed} PLASMA_HISTORIES=1 fails; the shortened history:");
    println!("people {:?}, chats {:?}", history.people, history.chats);
    history.steps.iter().for_each(|step| println!("{step:?}"));
    println!("what happens in it:");
    let _ = attempt(&history, true);
    panic!("the history of seed {seed} fails: {failure}");
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.steps += other.steps;
        self.exchanges += other.exchanges;
        self.exchanges_max = self.exchanges_max.max(other.exchanges_max);
        self.devices_max = self.devices_max.max(other.devices_max);
        self.messages += other.messages;
        self.shown += other.shown;
        self.initiations += other.initiations;
        self.mismatches += other.mismatches;
        self.requests += other.requests;
        self.resent += other.resent;
        self.given_up += other.given_up;
        self.exhausted += other.exhausted;
        for (reason, times) in &other.reasons {
            *self.reasons.entry(reason).or_default() += times;
        }
    }
}

#[test]
fn devices_converge_after_any_history() {
    run(BOUNDED, 1);
}

#[test]
#[ignore = "long: `make histories`"]
fn devices_converge_after_very_many_histories() {
    run(LONG, number("PLASMA_THREADS").unwrap_or(LONG_THREADS));
}
