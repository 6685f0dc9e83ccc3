//! Random operations against an in-memory model, with every invariant checked after each.
//!
//! `PLASMA_TEST_BILLING_OPERATIONS` sets how many (2,000), `PLASMA_TEST_BILLING_SEED` repeats a
//! run. Longer runs use a fresh world every 2,000 operations.

mod check;
mod dice;
mod exchange;
mod expected;
mod run;

use std::collections::BTreeMap;

pub use self::dice::Dice;
use self::run::Run;
use crate::books::audit;
use crate::harness::World;

const PER_WORLD: u64 = 2_000;
/// After how many operations what was posted is folded.
const FOLDED_EVERY: u64 = 50;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

pub fn seed() -> u64 {
    setting("PLASMA_TEST_BILLING_SEED")
        .unwrap_or_else(|| u64::from_be_bytes(plasma_kit::Env::system().random()))
}

async fn run(first: World, another: impl AsyncFn() -> World) {
    let (seed, operations) = (seed(), setting("PLASMA_TEST_BILLING_OPERATIONS").unwrap_or(2_000));
    println!("PLASMA_TEST_BILLING_SEED={seed} PLASMA_TEST_BILLING_OPERATIONS={operations}");
    let mut world = Some(first);
    let mut counts = BTreeMap::<String, u64>::new();
    for (round, start) in (0..operations).step_by(usize::try_from(PER_WORLD).unwrap()).enumerate() {
        let world = match world.take() {
            Some(world) => world,
            None => another().await,
        };
        let mut run = Run::new(world, seed.wrapping_add(round as u64));
        for n in start..operations.min(start + PER_WORLD) {
            run.step(n).await;
            if n % FOLDED_EVERY == 0 {
                run.world.nodes[0].billing.fold().await.unwrap();
            }
        }
        audit(&run.world).await;
        for (name, count) in run.counts {
            *counts.entry(name).or_default() += count;
        }
    }
    println!("{counts:?}");
    // A run that never got to these would prove little.
    if operations >= PER_WORLD {
        for name in ["moved", "published", "opened", "again", "PRICE_CHANGED", "PAYMENT_REQUIRED"] {
            assert!(counts.get(name).copied().unwrap_or_default() >= 3, "{name}: {counts:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_agree_with_the_model_on_sqlite() {
    run(World::sqlite().await, World::sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_agree_with_the_model_on_postgres() {
    match World::postgres().await {
        Some(world) => run(world, async || World::postgres().await.unwrap()).await,
        None => eprintln!("skipped: PLASMA_TEST_POSTGRES is not set"),
    }
}
