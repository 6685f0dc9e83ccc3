//! What arrives, in whatever form the service hands it on.

use plasma_e2ee::DecryptError;
use plasma_identity::PrekeyRole;
use plasma_proto::messaging::v1::Envelope;
use proptest::prelude::*;
use rusqlite::params;
use tokio::runtime::Builder;
use uuid::Uuid;

use crate::device::Device;
use crate::error::Error;
use crate::event::Event;
use crate::id::{ChatId, MessageId};
use crate::reason::UndecryptableReason;
use crate::store::{Store, chats, control, prekeys};
use crate::testing::{CHAT, acquaint, device, envelope, envelope_of, shown};

mod classes;

fn pair() -> (Device, Device) {
    let ann = device(1, Store::in_memory().unwrap());
    let bob = device(2, Store::in_memory().unwrap());
    acquaint(&ann, &bob);
    (ann, bob)
}

fn reason(events: &[Event]) -> Option<UndecryptableReason> {
    match events {
        [Event::Undecryptable(undecryptable)] => Some(undecryptable.reason),
        _ => None,
    }
}

#[tokio::test]
async fn a_message_is_saved_with_its_session_and_the_end_of_its_one_time_keys() {
    let (ann, bob) = pair();
    let first = envelope(&ann, &bob, CHAT, "hello").await;
    let events = bob.open_envelope(&first).await.unwrap();
    assert!(matches!(&events[..], [Event::Message(message)] if message.text == "hello"));
    for role in [PrekeyRole::OneTimeEc, PrekeyRole::OneTimeKem] {
        assert!(bob.inner.store.read(|db| prekeys::load(db, role, 1)).unwrap().is_none());
    }
    let reply = envelope(&bob, &ann, CHAT, "hi").await;
    ann.open_envelope(&reply).await.unwrap();
    assert_eq!(shown(&ann), ["hi"]);
}

#[tokio::test]
async fn a_device_that_fails_before_the_commit_opens_the_same_envelope_later() {
    let (ann, bob) = pair();
    let first = envelope(&ann, &bob, CHAT, "hello").await;
    bob.inner
        .store
        .write(|tx| Ok::<_, crate::StoreError>(tx.execute_batch(
            "CREATE TRIGGER full BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'disk full'); END",
        )?))
        .unwrap();
    assert!(matches!(bob.open_envelope(&first).await, Err(Error::Store(_))));
    let kept = bob.inner.store.read(|db| prekeys::load(db, PrekeyRole::OneTimeEc, 1)).unwrap();
    assert!(kept.is_some(), "the one-time key ended without its message");
    bob.inner
        .store
        .write(|tx| Ok::<_, crate::StoreError>(tx.execute_batch("DROP TRIGGER full")?))
        .unwrap();
    bob.open_envelope(&first).await.unwrap();
    assert_eq!(shown(&bob), ["hello"]);
}

#[tokio::test]
async fn an_envelope_offered_again_is_shown_once_even_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bob.sqlite");
    let ann = device(1, Store::in_memory().unwrap());
    let bob = device(2, Store::open(&path).unwrap());
    acquaint(&ann, &bob);
    let first = envelope(&ann, &bob, CHAT, "hello").await;
    bob.open_envelope(&first).await.unwrap();
    drop(bob);
    let endpoint = crate::Endpoint::new("http://127.0.0.1:1");
    let bob = Device::open(&endpoint, Store::open(&path).unwrap()).unwrap();
    assert!(bob.open_envelope(&first).await.unwrap().is_empty());
    assert_eq!(shown(&bob), ["hello"]);
    assert!(bob.undecryptable_reasons().unwrap().is_empty());
}

#[tokio::test]
async fn a_message_sealed_twice_is_shown_once() {
    let (ann, bob) = pair();
    let message = MessageId(Uuid::from_u128(5));
    for _ in 0..2 {
        let sealed = envelope_of(&ann, &bob, CHAT, message, 1, "hello").await;
        bob.open_envelope(&sealed).await.unwrap();
    }
    assert_eq!(shown(&bob), ["hello"]);
}

#[tokio::test]
async fn a_relabelled_envelope_is_told_and_suppresses_nothing() {
    let (ann, bob) = pair();
    let mut first = envelope(&ann, &bob, CHAT, "hello").await;
    let mut second = envelope(&ann, &bob, CHAT, "world").await;
    // The service pretends that the second is the first again, in another chat.
    second.message_id.clone_from(&first.message_id);
    first.chat_id = ChatId(Uuid::from_u128(9)).to_string();
    for relabelled in [&second, &first] {
        let events = bob.open_envelope(relabelled).await.unwrap();
        assert!(matches!(&events[..], [Event::Relabelled { .. }, Event::Message(_)]), "{events:?}");
    }
    assert_eq!(shown(&bob).len(), 2);
}

#[tokio::test]
async fn an_envelope_repeated_under_another_name_is_neither_told_nor_asked_for() {
    let (ann, bob) = pair();
    let good = envelope(&ann, &bob, CHAT, "hello").await;
    let id = MessageId(Uuid::from_u128(5));
    let unknown = envelope_of(&ann, &bob, CHAT, id, chats::LAMPORT_MAX + 1, "of a later app").await;
    for first in [&good, &unknown] {
        assert_eq!(bob.open_envelope(first).await.unwrap().len(), 1);
    }
    let other_name = MessageId(Uuid::from_u128(6)).to_string();
    let renamed = Envelope { message_id: other_name, ..good.clone() };
    let repeat_all = async || {
        for repeated in [&good, &unknown, &renamed] {
            let events = bob.open_envelope(repeated).await.unwrap();
            assert!(events.is_empty(), "{events:?}");
        }
    };
    repeat_all().await;
    // Nor where what opened it is gone: the message is here.
    let forget = |tx: &rusqlite::Transaction<'_>| Ok(tx.execute("DELETE FROM session", [])?);
    assert_eq!(bob.inner.store.write::<_, crate::StoreError>(forget).unwrap(), 1);
    repeat_all().await;
    assert_eq!(bob.undecryptable_reasons().unwrap(), ["UNKNOWN_CONTENT"]);
    assert!(bob.inner.store.read(control::earliest).unwrap().is_none(), "nothing is asked for");
}

#[tokio::test]
async fn a_message_for_a_chat_that_the_sender_is_not_in_is_refused() {
    let (ann, bob) = pair();
    let other = chats::KnownChat {
        id: ChatId(Uuid::from_u128(77)),
        peer: device(3, Store::in_memory().unwrap()).user(),
        host_tenant: Uuid::from_u128(1),
    };
    bob.inner.store.write(|tx| chats::insert(tx, other)).unwrap();
    let forged = envelope(&ann, &bob, other.id, "as if from somebody else").await;
    let events = bob.open_envelope(&forged).await.unwrap();
    assert_eq!(reason(&events), Some(UndecryptableReason::WrongChat));
    assert!(bob.history(other.id).unwrap().is_empty());
    // The session went on all the same.
    bob.open_envelope(&envelope(&ann, &bob, CHAT, "hello").await).await.unwrap();
    assert_eq!(shown(&bob), ["hello"]);
}

#[tokio::test]
async fn a_changed_envelope_is_recorded_with_its_reason_and_harms_nothing() {
    let (ann, bob) = pair();
    let good = envelope(&ann, &bob, CHAT, "hello").await;
    let mut changed = good.clone();
    let mut bytes = changed.ciphertext.to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    changed.ciphertext = bytes.into();
    let events = bob.open_envelope(&changed).await.unwrap();
    assert_eq!(reason(&events), Some(UndecryptableReason::Protocol(DecryptError::BadMac)));
    assert_eq!(bob.undecryptable_reasons().unwrap(), ["BAD_MAC"]);
    bob.open_envelope(&good).await.unwrap();
    assert_eq!(shown(&bob), ["hello"]);
}

#[tokio::test]
async fn a_counter_beyond_its_limit_does_not_poison_the_chat() {
    let (ann, bob) = pair();
    for lamport in [0, chats::LAMPORT_MAX + 1, u64::MAX] {
        let id = MessageId(ann.inner.env.time_ordered_id());
        let poison = envelope_of(&ann, &bob, CHAT, id, lamport, "far ahead").await;
        let events = bob.open_envelope(&poison).await.unwrap();
        assert_eq!(reason(&events), Some(UndecryptableReason::UnknownContent));
    }
    let next = bob.inner.store.write(|tx| chats::next_lamport(tx, CHAT)).unwrap();
    assert_eq!(next, 1);
}

#[tokio::test]
async fn the_order_comes_from_the_counter_and_not_from_arrival() {
    let (ann, bob) = pair();
    let mut sealed = Vec::new();
    for (lamport, text) in [(1, "one"), (2, "two"), (3, "three")] {
        let id = MessageId(ann.inner.env.time_ordered_id());
        sealed.push(envelope_of(&ann, &bob, CHAT, id, lamport, text).await);
    }
    for index in [2, 0, 1] {
        bob.open_envelope(&sealed[index]).await.unwrap();
    }
    assert_eq!(shown(&bob), ["one", "two", "three"]);
}

#[tokio::test]
async fn the_database_refuses_the_same_message_of_the_same_device() {
    let (_, bob) = pair();
    let insert =
        "INSERT INTO message (sender, message, chat, lamport, body, write_micros, save_micros,
                                       outgoing, state, from_removed_device)
                  VALUES (?1, ?2, ?3, 1, '', 0, 0, 0, 4, 0)";
    let key = params![&bob.address().to_bytes()[..], [1_u8; 16], &CHAT.0.as_bytes()[..]];
    bob.inner
        .store
        .write(|tx| {
            assert_eq!(tx.execute(insert, key).unwrap(), 1);
            assert!(tx.execute(insert, key).is_err());
            Ok::<_, crate::StoreError>(())
        })
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever the service repeats, withholds for a while or reorders, each message is shown once.
    #[test]
    fn each_message_is_shown_exactly_once(order in proptest::collection::vec(0_usize..6, 0..40)) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ann, bob) = pair();
            let mut sealed = Vec::new();
            for number in 0..6_u32 {
                let id = MessageId(Uuid::from_u128(u128::from(number) + 1));
                let text = number.to_string();
                sealed.push(envelope_of(&ann, &bob, CHAT, id, u64::from(number) + 1, &text).await);
            }
            let mut announced = Vec::new();
            for index in order.iter().copied().chain(0..6) {
                for event in bob.open_envelope(&sealed[index]).await.unwrap() {
                    let Event::Message(message) = event else { panic!("{event:?}") };
                    announced.push(message.text);
                }
            }
            announced.sort();
            assert_eq!(announced, ["0", "1", "2", "3", "4", "5"]);
            assert_eq!(shown(&bob), announced);
        });
    }
}
