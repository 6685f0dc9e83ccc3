//! What is lost comes back, once, and both sides say so.

use plasma_e2ee::DecryptError;

use super::town::{ANN, BOB, Town};
use crate::event::Event;
use crate::not_shown::Repair;
use crate::reason::UndecryptableReason;
use crate::store::sessions;

fn repaired(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Repaired { .. })).count()
}

async fn talking() -> Town {
    let mut town = Town::of(&[(ANN, 1), (BOB, 1)], 10);
    town.send(0, "one").await;
    town.settle_down().await;
    town.send(1, "two").await;
    town.settle_down().await;
    town
}

#[tokio::test]
async fn a_lost_session_heals_and_the_message_is_shown_once() {
    let mut town = talking().await;
    town.wipe_session(1, 0);
    let message = town.send(0, "three").await;
    let events = town.receive_one(1).await.unwrap();
    let [Event::Undecryptable(undecryptable)] = &events[..] else { panic!("{events:?}") };
    let lost = UndecryptableReason::Protocol(DecryptError::UnknownSession);
    assert_eq!((undecryptable.reason, undecryptable.repair), (lost, Repair::Requested));
    assert_eq!(undecryptable.claimed_message, Some(message));
    let events = town.settle_down().await;
    assert_eq!(repaired(&events[1]), 1, "{events:?}");
    assert_eq!(town.shown(1), ["one", "three"]);
    let kept = town.devices[1].not_shown().unwrap();
    assert_eq!((kept.len(), kept[0].repair), (1, Repair::Resolved));
    assert_eq!(town.controls, 2, "one request, one message");
    // The session goes on from here in both directions.
    town.send(1, "four").await;
    town.send(0, "five").await;
    town.settle_down().await;
    assert_eq!(town.shown(0), ["two", "four"]);
    assert_eq!((town.shown(1).len(), town.controls), (3, 2));
}

#[tokio::test]
async fn a_queue_of_messages_on_a_lost_session_comes_back_whole() {
    let mut town = talking().await;
    town.wipe_session(1, 0);
    for number in 0..50 {
        town.send(0, &number.to_string()).await;
    }
    town.settle_down().await;
    assert_eq!(town.controls, 40, "twenty requests and their messages in the first hour");
    for _ in 0..3 {
        town.move_clocks(3_601);
        town.settle_down().await;
    }
    assert_eq!(town.shown(1).len(), 51);
    assert!(
        town.devices[1].not_shown().unwrap().iter().all(|kept| kept.repair == Repair::Resolved)
    );
}

#[tokio::test]
async fn crossing_initiations_end_on_one_session() {
    let mut town = Town::of(&[(ANN, 1), (BOB, 1)], 10);
    town.send(0, "from Ann").await;
    town.send(1, "from Bob").await;
    town.settle_down().await;
    for text in ["and on", "and on and on"] {
        town.send(0, text).await;
        town.settle_down().await;
        town.send(1, text).await;
        town.settle_down().await;
    }
    let active = |of: usize, with: usize| {
        let (device, other) = (&town.devices[of], town.devices[with].address());
        let load = |db: &_| sessions::load(db, device.address(), other);
        device.inner.store.read(load).unwrap().active_session()
    };
    assert_eq!(active(0, 1), active(1, 0));
    assert_eq!((town.shown(0).len(), town.shown(1).len(), town.controls), (3, 3, 0));
}

#[tokio::test]
async fn own_devices_heal_among_themselves() {
    let mut town = Town::of(&[(ANN, 2), (BOB, 1)], 10);
    for (from, text) in [(0, "one"), (1, "two"), (0, "three")] {
        town.send(from, text).await;
        town.settle_down().await;
    }
    town.wipe_session(1, 0);
    town.send(0, "four").await;
    town.settle_down().await;
    assert_eq!(town.shown(1), ["one", "three", "four"]);
    assert_eq!(town.controls, 2);
}

#[tokio::test]
async fn a_backup_that_was_put_back_heals_without_being_told() {
    let mut town = talking().await;
    let backup = town.snapshot(0);
    for text in ["three", "four"] {
        town.send(0, text).await;
    }
    town.settle_down().await;
    town.restore(0, &backup);
    // Sealed with keys that Bob has seen: for him the same message once more, and another one.
    town.send(0, "five").await;
    town.settle_down().await;
    // Its counter went back with the backup, and so did its place.
    assert!(town.shown(1).contains(&"five".to_owned()), "{:?}", town.shown(1));
    town.send(1, "six").await;
    town.settle_down().await;
    assert_eq!(town.shown(0).last().unwrap(), "six");
}

#[tokio::test]
async fn a_backup_that_was_put_back_and_says_so_needs_no_repair_to_send() {
    let mut town = talking().await;
    let backup = town.snapshot(0);
    town.send(0, "three").await;
    town.settle_down().await;
    town.send(1, "four").await;
    town.settle_down().await;
    town.restore(0, &backup);
    town.devices[0].after_restore().unwrap();
    town.send(0, "five").await;
    town.settle_down().await;
    assert!(town.shown(1).contains(&"five".to_owned()), "{:?}", town.shown(1));
    assert_eq!(town.controls, 0);
    town.send(1, "six").await;
    town.settle_down().await;
    assert_eq!(town.shown(0).last().unwrap(), "six");
    assert_eq!(town.controls, 0);
}

#[tokio::test]
async fn without_one_time_keys_a_replayed_beginning_is_refused_and_shown_once() {
    let mut town = Town::of(&[(ANN, 1), (BOB, 1)], 0);
    town.send(0, "one").await;
    town.send(0, "two").await;
    let beginning = town.queues[1][0].clone();
    let second = town.queues[1].pop().unwrap();
    town.settle_down().await;
    assert_eq!(town.shown(1), ["one"], "the last-resort key serves");
    town.wipe_session(1, 0);
    // What was opened is here. What was not must not begin the session a second time.
    town.queues[1].extend([beginning, second]);
    assert!(town.receive_one(1).await.unwrap().is_empty());
    let events = town.receive_one(1).await.unwrap();
    let [Event::Undecryptable(undecryptable)] = &events[..] else { panic!("{events:?}") };
    let replayed = UndecryptableReason::Protocol(DecryptError::ReplayedInitiation);
    assert_eq!(undecryptable.reason, replayed);
    town.settle_down().await;
    assert_eq!(town.shown(1), ["one", "two"], "it was asked for again");
}

#[tokio::test]
async fn what_was_deleted_is_not_sent_again() {
    let mut town = talking().await;
    town.wipe_session(1, 0);
    let id = town.send(0, "three").await;
    town.receive_one(1).await.unwrap();
    town.deliver_controls(1).await;
    let ann = &town.devices[0];
    let message = crate::MessageRef { sender: ann.address(), id };
    // After the request came in and before it is answered.
    town.receive_one(0).await.unwrap();
    let ann = &town.devices[0];
    ann.inner.store.write(|tx| crate::store::sent_log::forget(tx, &message)).unwrap();
    town.settle_down().await;
    assert_eq!(town.shown(1), ["one"]);
    assert_eq!(town.devices[1].not_shown().unwrap()[0].repair, Repair::Requested);
    // Nobody can answer any more, and the record says so.
    town.move_clocks(46 * 86_400);
    assert_eq!(town.devices[1].not_shown().unwrap()[0].repair, Repair::GivenUp);
}

#[tokio::test(flavor = "multi_thread")]
async fn receives_and_sends_at_once_do_not_interleave_on_a_record() {
    let mut town = talking().await;
    for number in 0..20 {
        town.send(0, &number.to_string()).await;
    }
    let envelopes = std::mem::take(&mut town.queues[1]);
    let bob = town.devices[1].clone();
    let mut tasks = tokio::task::JoinSet::new();
    for envelope in envelopes.into_iter().flat_map(|envelope| [envelope.clone(), envelope]) {
        let bob = bob.clone();
        tasks.spawn(async move { bob.open_envelope(&envelope).await.unwrap() });
    }
    for number in 0..20 {
        town.send(1, &format!("reply {number}")).await;
        tokio::task::yield_now().await;
    }
    let mut announced = 0;
    while let Some(events) = tasks.join_next().await {
        for event in events.unwrap() {
            assert!(matches!(event, Event::Message(_)), "{event:?}");
            announced += 1;
        }
    }
    assert_eq!(announced, 20, "each once");
    town.settle_down().await;
    assert_eq!(town.controls, 0);
    assert_eq!(town.shown(0).iter().filter(|text| text.starts_with("reply")).count(), 20);
}
