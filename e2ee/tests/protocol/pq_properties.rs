//! Random conversations with post-quantum steps: bursts, loss, disorder, repetition, restarts,
//! waits, sessions put aside.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher, RandomState};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::properties::{Conversation, Step, is_honest};
use plasma_e2ee::SessionRecord;

fn step() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        6 => (0..300_usize).prop_map(|length| Step::Send { length }),
        2 => (20..70_usize).prop_map(|count| Step::Burst { count }),
        12 => any::<usize>().prop_map(|index| Step::Deliver { index }),
        2 => any::<usize>().prop_map(|index| Step::Repeat { index }),
        2 => any::<usize>().prop_map(|index| Step::Drop { index }),
        2 => (1..9_u64).prop_map(|days| Step::Wait { days }),
        2 => Just(Step::Reload),
        1 => Just(Step::Archive),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Restore),
    ];
    (0..2_usize, step)
}

/// A runner with a seed that is printed, and taken from `PROPTEST_RNG_SEED` to repeat a run.
fn runner(cases: u32) -> TestRunner {
    let mut config = Config { cases, failure_persistence: None, ..Config::default() };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().build_hasher().finish(),
    };
    println!("PROPTEST_RNG_SEED={seed}");
    config.rng_seed = RngSeed::Fixed(seed);
    TestRunner::new(config)
}

#[test]
fn all_that_arrives_is_opened_and_steps_happen() {
    let (offers, steps) = (Cell::new(0), Cell::new(0));
    let script = prop::collection::vec(step(), 0..80);
    let run = |(seed, script): (u64, Vec<(usize, Step)>)| {
        let mut conversation = Conversation::new(seed);
        for (side, step) in script.iter().filter(|(_, step)| is_honest(step)) {
            conversation.step(*side, step);
        }
        conversation.settle();
        offers.set(offers.get() + conversation.ledger.offers);
        steps.set(steps.get() + conversation.ledger.steps);
        let [alice, bob] = &conversation.devices;
        let (a, b) = (alice.record(bob.address()), bob.record(alice.address()));
        prop_assert_eq!(a.active_session(), b.active_session());
        prop_assert!(a.is_confirmed() && b.is_confirmed());
        Ok(())
    };
    let result = runner(96).run(&(0..1_u64 << 20, script), run);
    println!("{} keys offered, {} answered", offers.get(), steps.get());
    result.unwrap();
    assert!(steps.get() > 0, "no step in the whole sample");
}

#[test]
fn a_restored_device_is_healed_by_a_new_session_wherever_a_step_was() {
    let script = prop::collection::vec(step(), 0..80);
    let run = |(seed, script): (u64, Vec<(usize, Step)>)| {
        let mut conversation = Conversation::new(seed);
        for (side, step) in &script {
            conversation.step(*side, step);
        }
        conversation.under_way = [Vec::new(), Vec::new()];
        for device in &mut conversation.devices {
            device.records.values_mut().for_each(SessionRecord::archive_active);
        }
        conversation.heal();
        let [alice, bob] = &conversation.devices;
        let (a, b) = (alice.record(bob.address()), bob.record(alice.address()));
        prop_assert_eq!(a.active_session(), b.active_session());
        Ok(())
    };
    runner(48).run(&(0..1_u64 << 20, script), run).unwrap();
}
