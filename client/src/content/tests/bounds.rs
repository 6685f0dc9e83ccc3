//! What is out of bounds is no content: it is recorded as unknown and applied nowhere.

use plasma_proto::content::v1::content::Body as PbBody;
use plasma_proto::content::v1::{self as pb, Content};
use proptest::prelude::*;
use prost::Message as _;
use prost_types::Timestamp;

use crate::content::read;
use crate::store::chats::LAMPORT_MAX;

fn message() -> pb::MessageRef {
    pb::MessageRef { sender: vec![1; 48].into(), message_id: vec![2; 16].into() }
}

fn content(lamport: u64, body: PbBody) -> Content {
    Content {
        chat_id: vec![3; 16].into(),
        message_id: vec![4; 16].into(),
        lamport,
        write_time: Some(Timestamp { seconds: 5, nanos: 6 }),
        body: Some(body),
    }
}

fn about_no_chat(body: PbBody) -> Content {
    Content { chat_id: Vec::new().into(), ..content(0, body) }
}

fn text(body: &str, seconds: u32) -> PbBody {
    let body = body.to_owned();
    PbBody::Text(pb::Text { body, reply_to: Some(message()), disappear_after_seconds: seconds })
}

fn receipt(kind: i32, count: usize) -> PbBody {
    let messages = std::iter::repeat_n(message(), count).collect();
    PbBody::Receipt(pb::Receipt { kind, messages })
}

fn name(name: &str) -> PbBody {
    PbBody::DeviceName(pb::DeviceName {
        device_id: vec![5; 16].into(),
        name: name.to_owned(),
        set_time: Some(Timestamp::default()),
    })
}

fn forward(content: &Content) -> PbBody {
    let content = content.encode_to_vec().into();
    PbBody::Forward(pb::Forward { sender: vec![1; 48].into(), content })
}

fn reaction(emoji: &str) -> PbBody {
    PbBody::Reaction(pb::Reaction { message: Some(message()), emoji: emoji.to_owned() })
}

fn timer(seconds: u32) -> PbBody {
    PbBody::DisappearingTimer(pb::DisappearingTimer { seconds })
}

fn is_read(content: &Content) -> bool {
    read(&content.encode_to_vec()).is_some()
}

#[test]
fn every_body_is_read_within_its_bounds() {
    let set_time = Some(Timestamp::default());
    let good = [
        content(1, text("hello", 31_536_000)),
        content(LAMPORT_MAX, text("", 0)),
        content(0, receipt(1, 1)),
        content(0, receipt(2, 100)),
        content(0, PbBody::Typing(pb::Typing { active: true })),
        content(1, reaction(&"x".repeat(64))),
        content(1, PbBody::Edit(pb::Edit { message: Some(message()), body: "new".to_owned() })),
        content(1, PbBody::Deletion(pb::Deletion { message: Some(message()) })),
        content(1, timer(0)),
        content(0, PbBody::ChatSettings(pb::ChatSettings { mute_until: None, set_time })),
        about_no_chat(name("Phone")),
        about_no_chat(PbBody::AccountSettings(pb::AccountSettings {
            send_read_receipts: true,
            set_time,
        })),
        about_no_chat(forward(&content(1, text("hello", 0)))),
    ];
    for content in &good {
        assert!(is_read(content), "{content:?}");
    }
}

#[test]
fn what_breaks_a_bound_is_no_content() {
    let broken_ref =
        Some(pb::MessageRef { sender: vec![1; 47].into(), message_id: vec![2; 16].into() });
    let moment = |seconds, nanos| Some(Timestamp { seconds, nanos });
    let written = |write_time| Content { write_time, ..content(1, text("hello", 0)) };
    let bad = [
        content(0, text("hello", 0)),
        content(LAMPORT_MAX + 1, text("hello", 0)),
        content(1, text("hello", 31_536_001)),
        about_no_chat(text("hello", 0)),
        Content { chat_id: vec![3; 15].into(), ..content(1, text("hello", 0)) },
        Content { message_id: Vec::new().into(), ..content(1, text("hello", 0)) },
        Content { body: None, ..content(1, text("hello", 0)) },
        written(moment(-1, 0)),
        written(moment(i64::MAX, 0)),
        written(moment(0, -1)),
        written(moment(0, 1_000_000_000)),
        content(1, receipt(1, 1)),
        content(0, receipt(0, 1)),
        content(0, receipt(3, 1)),
        content(0, receipt(1, 0)),
        content(0, receipt(1, 101)),
        content(1, PbBody::Typing(pb::Typing { active: true })),
        content(1, reaction(&"x".repeat(65))),
        content(1, PbBody::Reaction(pb::Reaction { message: None, emoji: "x".to_owned() })),
        content(1, PbBody::Deletion(pb::Deletion { message: broken_ref })),
        content(1, timer(31_536_001)),
        content(0, timer(60)),
        content(0, PbBody::ChatSettings(pb::ChatSettings { mute_until: None, set_time: None })),
        content(0, name("Phone")),
        about_no_chat(name("")),
        about_no_chat(name(&"x".repeat(65))),
        about_no_chat(forward(&content(0, text("hello", 0)))),
        about_no_chat(forward(&about_no_chat(forward(&content(1, text("hello", 0)))))),
    ];
    for content in &bad {
        assert!(!is_read(content), "{content:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_crash_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _read_or_not = read(&bytes);
    }

    #[test]
    fn a_changed_byte_crashes_nothing(at in 0_usize..200, to: u8) {
        let good = about_no_chat(forward(&content(1, text("hello", 60))));
        let mut bytes = good.encode_to_vec();
        let at = at % bytes.len();
        bytes[at] = to;
        let _read_or_not = read(&bytes);
    }
}
