//! What a sender sent without knowing an own device reaches it through the others.

use super::town::{ANN, BOB, Town, user};
use crate::event::Event;
use crate::message::Direction;
use crate::testing::CHAT;

/// Bob's second device joins after Ann has looked at his account.
fn left_out() -> Town {
    let mut town = Town::of(&[(ANN, 1), (BOB, 3)], 10);
    let person = &town.people[&BOB];
    let (root, whole) = (person.root.clone(), person.account.clone());
    // What Ann sees: the list as it was before.
    let few: Vec<_> = whole
        .devices()
        .iter()
        .filter(|c| [1, 2].iter().any(|i| town.devices[*i].address() == c.address()))
        .copied()
        .collect();
    let now = town.devices[0].inner.env.now_seconds();
    let before = root.start_generation(user(BOB), &few, Some(whole.manifest()), now).unwrap();
    let mut old = whole.clone();
    old.advance(&[before], &few, now).unwrap();
    let after =
        root.start_generation(user(BOB), whole.devices(), Some(old.manifest()), now).unwrap();
    let mut new = old.clone();
    new.advance(&[after], whole.devices(), now).unwrap();
    town.people.get_mut(&BOB).unwrap().account = old;
    town.introduce();
    town.people.get_mut(&BOB).unwrap().account = new;
    for index in 1..4 {
        town.introduce_to(&town.devices[index]);
    }
    town
}

#[tokio::test]
async fn a_device_that_was_left_out_gets_the_message_once_from_the_others() {
    let mut town = left_out();
    town.send(0, "one").await;
    assert!(town.queues[3].is_empty(), "Ann does not know it");
    let events = town.settle_down().await;
    assert_eq!(town.shown(3), ["one"]);
    let announced = events[3].iter().filter(|event| matches!(event, Event::Message(_))).count();
    assert_eq!(announced, 1, "both others forward, one is shown");
    assert_eq!(town.controls, 2);
    let message = &town.devices[3].history(CHAT).unwrap()[0];
    assert_eq!(message.sender, town.devices[0].address());
    assert_eq!(message.direction, Direction::Incoming);
    // The same message in another envelope, as when its sender did not hear that it arrived.
    let again = town.send(0, "two").await;
    town.settle_down().await;
    assert_eq!((town.shown(3), town.controls), (vec!["one".to_owned(), "two".to_owned()], 4));
    town.send_as(0, "two", again).await;
    town.settle_down().await;
    assert_eq!((town.shown(3).len(), town.controls), (2, 4), "forwarded once");
}

#[tokio::test]
async fn a_forward_that_cannot_be_opened_is_repaired_like_any_message() {
    let mut town = left_out();
    town.send(0, "one").await;
    town.settle_down().await;
    town.wipe_session(3, 1);
    town.wipe_session(3, 2);
    town.send(0, "two").await;
    town.settle_down().await;
    assert_eq!(town.shown(3), ["one", "two"]);
}

#[tokio::test]
async fn nothing_is_forwarded_to_a_device_that_is_no_longer_one() {
    let mut town = left_out();
    town.send(0, "one").await;
    for index in [1, 2] {
        town.receive_one(index).await.unwrap();
    }
    town.revoke(BOB, 3);
    for index in [1, 2] {
        town.introduce_to(&town.devices[index]);
        assert_eq!(town.deliver_controls(index).await, 0);
    }
    assert!(town.queues[3].is_empty());
}

#[tokio::test]
async fn a_peer_forwards_nothing() {
    use plasma_proto::content::v1::{Forward, content::Body};
    let mut town = Town::of(&[(ANN, 1), (BOB, 1)], 10);
    town.send(0, "one").await;
    town.settle_down().await;
    let ann = town.devices[0].clone();
    let inner = ann
        .encode(
            Some(CHAT),
            crate::MessageId(uuid::Uuid::from_u128(5)),
            3,
            Body::Text(plasma_proto::content::v1::Text {
                body: "as if from Bob".into(),
                ..Default::default()
            }),
        )
        .unwrap();
    let forward = Body::Forward(Forward {
        sender: town.devices[1].address().to_bytes().to_vec().into(),
        content: inner.into(),
    });
    let message = crate::MessageId(uuid::Uuid::from_u128(6));
    let content = ann.encode(None, message, 0, forward).unwrap();
    let (own, peer) = (ann.own_account().unwrap(), town.devices[1].own_account().unwrap());
    let unsealed = crate::device::sealing::Unsealed {
        message,
        route: crate::store::outbox::Route::Chat(CHAT),
        content: &content,
        keeping: crate::device::sealing::Keeping::Stored,
    };
    let sealed = ann.seal(&own, &peer, unsealed).await.unwrap();
    let envelope =
        town.label(0, CHAT.to_string(), message, sealed.peer_envelopes[0].ciphertext.to_vec());
    let events = town.devices[1].open_envelope(&envelope).await.unwrap();
    assert!(matches!(&events[..], [Event::Undecryptable(_)]), "{events:?}");
    assert_eq!(town.shown(1), ["one"]);
}
