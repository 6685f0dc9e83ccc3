//! Disclosures: section 14.

use plasma_e2ee::{Disclosure, open_disclosed};
use serde_json::Value;

use crate::account::NOW;
use crate::conversation::{ALL, record, replay_case};
use crate::fields::{Fields, unhex};
use crate::json::Json;
use crate::random::Randomness;
use crate::script::{Event, Script, Side};
use crate::trace::trace;

/// Disclosures of a first message and of a reply.
pub fn make() -> Json {
    let events = vec![
        Event::send(Side::Initiator, "a message", NOW),
        Event::deliver(0, NOW),
        Event::send(Side::Responder, "its answer", NOW),
        Event::deliver(1, NOW),
    ];
    let (script, ..) =
        record("a message and its answer", ALL, events, &mut Randomness::recording(10));
    disclosures(&script)
}

fn disclosures(script: &Script) -> Json {
    let (case, _) = trace(script);
    let read = serde_json::from_str(&case.text()).unwrap_or(Value::Null);
    let sends = read.list("events").iter().filter(|event| event.text("event") == "send");
    let disclosures = sends.zip(0_u64..).map(|(event, index)| {
        let (sender, recipient) = match event.text("from") {
            "initiator" => (&script.initiator, &script.responder),
            _ => (&script.responder, &script.initiator),
        };
        let message_key = unhex(event.text("message_key"));
        let hashes = [sender.certificate_hash(), recipient.certificate_hash()].concat();
        Json::from([
            ("index", index.into()),
            ("sender", (&sender.address.to_bytes()).into()),
            ("recipient", (&recipient.address.to_bytes()).into()),
            ("disclosure", (&[&[0x13, 1], &message_key[..], &hashes].concat()).into()),
            ("content", event.text("content").into()),
        ])
    });
    let disclosures: Vec<Json> = disclosures.collect();
    Json::from([
        ("description", "Disclosures of section 14, by a message's position.".into()),
        ("conversation", case),
        ("disclosures", disclosures.into()),
    ])
}

/// Recomputes the disclosures, and lets the implementation open the envelopes with them.
pub fn replay(file: &Value) {
    let mut script = replay_case(file.object("conversation"));
    disclosures(&script).expect(file, "disclosure");
    let envelopes = script.play(None);
    for (envelope, read) in envelopes.iter().zip(file.list("disclosures")) {
        let disclosure = Disclosure::from_bytes(&read.bytes("disclosure")).expect("a disclosure");
        let mut parties = [script.initiator.address, script.responder.address];
        if parties[0].to_bytes()[..] != read.bytes("sender") {
            parties.reverse();
        }
        let content = open_disclosed(envelope, parties[0], parties[1], &disclosure);
        assert_eq!(*content.expect("an envelope that opens"), read.bytes("content"));
    }
}
