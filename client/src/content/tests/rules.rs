//! Who may do what to a message, and what holds in the end whatever comes first.

use plasma_proto::content::v1::content::Body as PbBody;
use plasma_proto::content::v1::{self as pb, ReceiptKind};
use uuid::Uuid;

use super::stage::{Actor, Written, three};
use crate::event::Event;
use crate::id::MessageId;
use crate::message::{MessageRef, MessageState};
use crate::store::settings::{AccountSetup, ChatSetup};
use crate::store::{Store, outbox, receipts, settings};
use crate::testing::CHAT;

fn take_all(actor: &Actor, written: &[&Written]) {
    for written in written {
        actor.take(written);
    }
}

#[tokio::test]
async fn only_the_author_edits_and_deletes_and_on_any_device() {
    let (ann, ann2, bob) = three();
    let (message, text) = ann.text("first");
    take_all(&ann2, &[&text]);
    bob.take(&text);
    // Bob's client is not ours: it sends what ours would refuse.
    let forged = [bob.edit(message, "as if by Ann"), bob.delete(message)];
    for forged in &forged {
        assert!(ann.take(forged).is_empty());
        assert!(ann2.take(forged).is_empty());
    }
    assert_eq!(bob.find(message).unwrap().text, "first");
    assert_eq!(ann.find(message).unwrap().text, "first");
    let edit = ann2.edit(message, "second");
    let events = bob.take(&edit);
    assert!(matches!(&events[..], [Event::Edited { text, .. }] if text == "second"), "{events:?}");
    let shown = bob.find(message).unwrap();
    assert_eq!((shown.text.as_str(), shown.edited), ("second", true));
    assert!(matches!(&bob.take(&ann2.delete(message))[..], [Event::Deleted { .. }]));
    let shown = bob.find(message).unwrap();
    assert_eq!((shown.text.as_str(), shown.deleted), ("", true));
}

#[tokio::test]
async fn the_last_edit_holds_and_a_deletion_is_final_in_every_order() {
    let (ann, _, _) = three();
    let (message, text) = ann.text("first");
    let (second, third) = (ann.edit(message, "second"), ann.edit(message, "third"));
    let reaction = ann.react(message, "x");
    let deletion = ann.delete(message);
    let late = ann.edit(message, "too late");
    let orders: [&[&Written]; 4] = [
        &[&text, &second, &third],
        &[&text, &third, &second],
        &[&third, &second, &text],
        &[&second, &text, &third],
    ];
    for order in orders {
        let bob = Actor::new(2, 21, 1);
        take_all(&bob, order);
        assert_eq!(bob.find(message).unwrap().text, "third");
        take_all(&bob, &[&reaction, &deletion, &late]);
        let gone = bob.find(message).unwrap();
        assert!(gone.deleted && !gone.edited && gone.text.is_empty() && gone.reactions.is_empty());
    }
    let bob = Actor::new(2, 21, 1);
    take_all(&bob, &[&late, &deletion, &reaction, &second, &text]);
    let gone = bob.find(message).unwrap();
    assert!(gone.deleted && !gone.edited && gone.text.is_empty() && gone.reactions.is_empty());
    assert_eq!(bob.unread(), 0);
}

#[tokio::test]
async fn a_users_last_reaction_holds_across_its_devices() {
    let (ann, ann2, bob) = three();
    let (message, text) = bob.text("hello");
    ann.take(&text);
    ann2.take(&text);
    let one = ann.react(message, "one");
    ann2.take(&one);
    let two = ann2.react(message, "two");
    for order in [[&one, &two], [&two, &one]] {
        let bob = Actor::new(2, 21, 1);
        take_all(&bob, &order);
        take_all(&bob, &[&text]);
        let shown = bob.find(message).unwrap().reactions;
        assert_eq!(shown.len(), 1);
        assert_eq!((shown[0].user, shown[0].emoji.as_str()), (ann.device.user(), "two"));
    }
    bob.take(&two);
    ann.take(&two);
    let back = ann.react(message, "");
    let events = bob.take(&back);
    assert!(matches!(&events[..], [Event::Reacted { emoji: None, .. }]), "{events:?}");
    assert!(bob.find(message).unwrap().reactions.is_empty());
}

#[tokio::test]
async fn only_the_peers_receipts_count_and_a_state_never_goes_back() {
    let (ann, ann2, bob) = three();
    let (message, text) = ann.text("hello");
    bob.take(&text);
    let state = |actor: &Actor| actor.find(message).unwrap().state;
    assert_eq!(state(&ann), MessageState::Pending);
    // An own device's receipt says nothing about the peer, and nobody vouches for a third user.
    ann.take(&ann2.receipt(ReceiptKind::Read, &[message]));
    assert_eq!(state(&ann), MessageState::Pending);
    let delivered = bob.receipt(ReceiptKind::Delivered, &[message]);
    let read = bob.receipt(ReceiptKind::Read, &[message]);
    // The receipt overtakes the message on the other device.
    ann2.take(&read);
    ann2.take(&text);
    assert_eq!(state(&ann2), MessageState::Read);
    ann.take(&delivered);
    assert_eq!(state(&ann), MessageState::Delivered);
    ann.sent(message, MessageState::Sent);
    assert_eq!(state(&ann), MessageState::Delivered);
    let events = ann.take(&read);
    let read_now = Event::StateChanged { chat: CHAT, message, state: MessageState::Read };
    assert_eq!(format!("{events:?}"), format!("{:?}", [read_now]));
    assert!(ann.take(&delivered).is_empty());
    ann.sent(message, MessageState::Failed);
    assert_eq!(state(&ann), MessageState::Read);
}

#[tokio::test]
async fn a_receipt_for_the_peers_own_messages_changes_nothing() {
    let (ann, _, bob) = three();
    let (message, text) = bob.text("hello");
    ann.take(&text);
    ann.take(&bob.receipt(ReceiptKind::Read, &[message]));
    assert_eq!(ann.find(message).unwrap().state, MessageState::Received);
    assert_eq!(ann.unread(), 1, "the peer cannot mark what this user has not read");
}

#[tokio::test]
async fn a_receipt_is_due_for_an_incoming_text_and_for_nothing_else() {
    let (ann, ann2, bob) = three();
    let due = |actor: &Actor| actor.device.inner.store.read(receipts::chats).unwrap().len();
    let (message, text) = ann.text("hello");
    ann2.take(&text);
    let receipt = bob.receipt(ReceiptKind::Delivered, &[message]);
    let typing = bob.write(PbBody::Typing(pb::Typing { active: true }));
    for other in [&receipt, &typing, &bob.edit(message, "?"), &bob.react(message, "!")] {
        ann.take(other);
        ann2.take(other);
    }
    assert_eq!((due(&ann), due(&ann2)), (0, 0));
    bob.take(&text);
    assert_eq!(due(&bob), 1);
    // Another device of Bob has told Ann.
    let bob2 = Actor::new(2, 22, 1);
    bob2.take(&text);
    bob2.take(&receipt);
    assert_eq!(due(&bob2), 0);
}

#[tokio::test]
async fn a_read_mark_counts_before_its_message_and_on_every_own_device() {
    let (ann, ann2, bob) = three();
    let (first, one) = bob.text("one");
    let (second, two) = bob.text("two");
    take_all(&ann, &[&one, &two]);
    assert_eq!(ann.unread(), 2);
    let marks = ann.read_up_to(first);
    assert_eq!((ann.unread(), marks.len()), (1, 1));
    assert!(ann.read_up_to(first).is_empty(), "read already");
    ann2.take(&marks[0]);
    take_all(&ann2, &[&two, &one]);
    assert_eq!(ann2.unread(), 1);
    assert!(ann2.find(first).unwrap().read);
    let events = ann2.take(&ann.read_up_to(second)[0]);
    assert!(matches!(&events[..], [Event::ReadElsewhere { unread: 0, .. }]), "{events:?}");
    let unknown = MessageRef { id: MessageId(Uuid::from_u128(99)), ..first };
    assert!(ann.device.write_down_read(ann.chat, unknown).is_err());
}

#[tokio::test]
async fn time_counts_from_sending_for_the_sender_and_from_reading_for_the_reader() {
    let (ann, ann2, bob) = three();
    let bob2 = Actor::new(2, 22, 1);
    let (message, text) = ann.text_for("secret", 60);
    take_all(&ann2, &[&text]);
    take_all(&bob, &[&text]);
    let actors = [&ann, &ann2, &bob, &bob2];
    let later = |seconds: i64| {
        for actor in actors {
            actor.device.inner.env.move_clock(seconds * 1_000_000);
            actor.device.expire_messages().unwrap();
        }
    };
    later(59);
    assert!(ann.find(message).is_some() && ann2.find(message).is_some());
    later(2);
    assert!(ann2.find(message).is_none());
    assert!(ann.find(message).is_some(), "what was written without a connection is not lost");
    ann.sent(message, MessageState::Sent);
    later(0);
    assert!(ann.find(message).is_none());
    assert!(bob.find(message).is_some(), "Bob has not read it");
    let mark = bob.read_up_to(message);
    later(59);
    assert!(bob.find(message).is_some());
    // The other device gets both only now: the same mark, and so the same end.
    bob2.take(&mark[0]);
    bob2.take(&text);
    assert!(bob2.find(message).is_some());
    later(2);
    for actor in actors {
        assert!(actor.find(message).is_none());
        actor.take(&text);
        assert!(actor.find(message).is_none(), "offered again");
        let kept: String = actor
            .device
            .inner
            .store
            .read(|db| db.query_row("SELECT body FROM message", [], |row| row.get(0)))
            .unwrap();
        assert_eq!(kept, "");
    }
}

#[tokio::test]
async fn a_deletion_leaves_no_text_anywhere_in_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ann.sqlite");
    let ann = Actor::in_store(1, 11, 2, Store::open(&path).unwrap());
    let markers = ["a-first-text-to-be-gone", "a-second-text-to-be-gone"];
    let (message, _) = ann.text(markers[0]);
    ann.edit(message, markers[1]);
    let kept = |marker: &str| {
        let files = std::fs::read_dir(folder.path()).unwrap();
        let bytes = files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap());
        memmem(&bytes.collect::<Vec<_>>(), marker.as_bytes())
    };
    assert!(markers.iter().all(|marker| kept(marker)));
    ann.delete(message);
    ann.device.expire_messages().unwrap();
    assert!(!markers.iter().any(|marker| kept(marker)));
    // The deletion itself is still on its way.
    assert_eq!(ann.device.inner.store.read(outbox::list).unwrap().len(), 1);
}

fn memmem(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[tokio::test]
async fn the_timer_set_last_holds_for_what_is_written_after_it() {
    let (ann, ann2, bob) = three();
    let timer = |actor: &Actor, seconds| {
        actor.write(PbBody::DisappearingTimer(pb::DisappearingTimer { seconds }))
    };
    let hour = timer(&ann, 3_600);
    bob.take(&hour);
    let day = timer(&bob, 86_400);
    for order in [[&hour, &day], [&day, &hour]] {
        let carol = Actor::new(1, 13, 2);
        take_all(&carol, &order);
        let kept = carol.device.inner.store.read(|db| settings::timer(db, CHAT)).unwrap();
        assert_eq!(kept, 86_400);
    }
    let events = ann2.take(&day);
    assert!(matches!(&events[..], [Event::DisappearingTimer { seconds: 86_400, .. }]));
    assert_eq!(ann2.device.chats_overview().unwrap()[0].disappear_after_seconds, 86_400);
}

#[tokio::test]
async fn the_setting_made_last_holds_on_every_own_device() {
    let (ann, ann2, _) = three();
    let muted = |until, set_micros| {
        let setup = ChatSetup { mute_until_micros: until, set_micros };
        ann.write(PbBody::ChatSettings(setup.to_content()))
    };
    let (early, late) = (muted(Some(7), 5), muted(None, 6));
    let account = |on, set_micros| AccountSetup { send_read_receipts: on, set_micros }.to_content();
    let (on, off) = (
        ann.write(PbBody::AccountSettings(account(true, 8))),
        ann.write(PbBody::AccountSettings(account(false, 9))),
    );
    for order in [[&early, &late, &on, &off], [&late, &early, &off, &on]] {
        let other = Actor::new(1, 13, 2);
        take_all(&other, &order);
        assert_eq!(other.device.chats_overview().unwrap()[0].mute_until_micros, None);
        assert!(!other.device.sends_read_receipts().unwrap());
    }
    assert!(ann2.device.sends_read_receipts().unwrap(), "on unless switched off");
    assert!(matches!(&ann2.take(&early)[..], [Event::Muted { until_micros: Some(7), .. }]));
}

#[tokio::test]
async fn what_is_said_about_messages_that_never_come_is_bounded() {
    let (ann, _, bob) = three();
    let mut invented = MessageRef { sender: ann.device.address(), id: MessageId(Uuid::nil()) };
    let count = |actor: &Actor| -> u32 {
        let sql = "SELECT COUNT(*) FROM annotation";
        actor.device.inner.store.read(|db| db.query_row(sql, [], |row| row.get(0))).unwrap()
    };
    for block in 0..50_u128 {
        let messages: Vec<_> = (0..100_u128)
            .map(|number| {
                invented.id = MessageId(Uuid::from_u128(block * 100 + number));
                invented
            })
            .collect();
        ann.take(&bob.receipt(ReceiptKind::Delivered, &messages));
    }
    assert_eq!(count(&ann), 4_096);
    ann.device.inner.env.move_clock(46 * 86_400 * 1_000_000);
    ann.device.expire_messages().unwrap();
    assert_eq!(count(&ann), 0);
}
