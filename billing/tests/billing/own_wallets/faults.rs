//! A stream of purchases under each fault of a wallet: once it is over, both books say the same.

use std::time::Duration;

use plasma_kit::ids::ChatId;
use plasma_wallet_provider::Fault;
use tonic::Code;

use super::platform::Platform;
use crate::harness::{Caller, World, fresh, purchase};

/// Longer than a call waits.
const LATE: Duration = Duration::from_secs(2);
/// To one call in how many the fault happens.
const ONE_IN: u64 = 3;
const PAYERS: usize = 6;
/// Of the purchases of one payer, the last is not covered.
const EACH: usize = 3;

/// Buys as an app would: the same request until there is an answer. Every third gives up at once.
async fn persist(device: Caller, chat: ChatId, patient: bool) -> Option<Code> {
    let quote = device.quote(chat).await;
    let request = purchase(&fresh("buy"), chat, &quote);
    for _ in 0..if patient { 20 } else { 1 } {
        match device.access.clone().purchase_access(request.clone()).await {
            Ok(_) => return None,
            Err(status) => match status.code() {
                Code::Unavailable | Code::Aborted | Code::DeadlineExceeded => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                code => return Some(code),
            },
        }
    }
    Some(Code::Unavailable)
}

async fn stream(world: &World, platform: &Platform, faults: &[Fault], seed: u64) {
    println!("{faults:?} with seed {seed}");
    platform.faults.set(faults, ONE_IN, LATE, seed);
    let bob = platform.user(world, 0);
    let mut calls = Vec::new();
    for n in 0..PAYERS {
        let ann = platform.user(world, 1_200);
        let chats: Vec<_> =
            (0..EACH).map(|_| world.chat((platform.tenant, ann), (platform.tenant, bob))).collect();
        let device = world.device(n, platform.tenant, ann);
        calls.push(async move {
            for (count, chat) in chats.into_iter().enumerate() {
                persist(device.clone(), chat, (n + count) % 3 != 2).await;
            }
        });
    }
    futures::future::join_all(calls).await;
    let met = platform.faults.met();
    assert!(met > 0, "no fault happened");
    platform.faults.clear();
    platform.comes_to_rest(world).await;
    println!("{faults:?}: {met} faults, {} taken", platform.book.taken("EUR").unwrap());
}

macro_rules! under {
    ($($name:ident: $fault:ident;)*) => {
        $(
            async fn $name(world: World) {
                let platform = Platform::with(&world, None).await;
                let seed = u64::from_be_bytes(world.env.random());
                stream(&world, &platform, &[Fault::$fault], seed).await;
            }
        )*
    };
}

under! {
    requests_that_are_lost: DropBefore;
    answers_that_are_lost: DropAfter;
    requests_that_are_late: Delay;
    requests_that_come_twice: Duplicate;
    requests_that_are_overtaken: Reorder;
    errors_after_the_work: ErrorAfter;
    other_amounts: WrongAmount;
}

async fn all_of_it_at_once(world: World) {
    let platform = Platform::with(&world, None).await;
    let seed = u64::from_be_bytes(world.env.random());
    stream(&world, &platform, &plasma_wallet_provider::faults::ALL, seed).await;
}

crate::on_both_databases!(
    requests_that_are_lost,
    answers_that_are_lost,
    requests_that_are_late,
    requests_that_come_twice,
    requests_that_are_overtaken,
    errors_after_the_work,
    other_amounts,
    all_of_it_at_once,
);
