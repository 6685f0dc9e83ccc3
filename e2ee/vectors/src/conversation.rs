//! Handshakes and ratchets: what happens in each file.

use plasma_identity::{PrekeyRole, Signer};
use serde_json::Value;

use crate::account::{NOW, Party};
use crate::bare::input;
use crate::fields::Fields;
use crate::json::Json;
use crate::random::Randomness;
use crate::script::{Event, Prekey, Script, Side};
use crate::trace::{trace, transcript_hash};

const DAY: u64 = 24 * 60 * 60;

/// Which prekeys a handshake uses.
#[derive(Clone, Copy)]
pub struct Used {
    one_time: bool,
    last_resort: bool,
}

/// A handshake with every one-time key.
pub const ALL: Used = Used { one_time: true, last_resort: false };

/// Handshakes with and without one-time prekeys.
pub fn handshake() -> Json {
    let cases = [
        ("with a one-time EC prekey", ALL),
        ("without a one-time EC prekey", Used { one_time: false, last_resort: false }),
        ("with the last-resort KEM prekey", Used { one_time: false, last_resort: true }),
    ];
    let events = vec![
        Event::send(Side::Initiator, "first", NOW),
        Event::deliver(0, NOW),
        Event::refuse(0, NOW, "DUPLICATE"),
    ];
    let mut randomness = Randomness::recording(1);
    let cases = cases.map(|(name, used)| record(name, used, events.clone(), &mut randomness).1);
    file("The handshake of section 5, and the first message.", cases.to_vec())
}

/// One session in several turns, in order and out of order.
pub fn ratchet() -> Json {
    use Side::{Initiator, Responder};

    let in_order = vec![
        Event::send(Initiator, "a0", NOW),
        Event::deliver(0, NOW),
        Event::send(Responder, "b0", NOW + 1),
        Event::send(Responder, "", NOW + 1),
        Event::deliver(1, NOW + 2),
        Event::deliver(2, NOW + 2),
        Event::send(Initiator, "a1", NOW + 3),
        Event::deliver(3, NOW + 3),
        Event::send(Responder, "b2", NOW + 4),
        Event::deliver(4, NOW + 4),
    ];
    let out_of_order = vec![
        Event::send(Initiator, "a0", NOW),
        Event::send(Initiator, "a1", NOW),
        Event::send(Initiator, "a2", NOW),
        Event::deliver(2, NOW + 1),
        Event::deliver(0, NOW + 1),
        Event::send(Responder, "b0", NOW + 2),
        Event::send(Responder, "b1", NOW + 2),
        Event::deliver(4, NOW + 3),
        Event::send(Initiator, "a3", NOW + 4),
        Event::deliver(5, NOW + 5),
        Event::deliver(1, NOW + 5),
        Event::refuse(1, NOW + 5, "DUPLICATE"),
        Event::deliver(3, NOW + 6),
        Event::refuse(4, NOW + 6, "DUPLICATE"),
    ];
    let mut randomness = Randomness::recording(2);
    let cases = vec![
        record("in order, over several turns", ALL, in_order, &mut randomness).1,
        record("out of order, over several turns", ALL, out_of_order, &mut randomness).1,
    ];
    file("The ratchet of section 6.", cases)
}

/// One session with a post-quantum step, with loss and disorder around it.
pub fn pq_step() -> Json {
    use Side::{Initiator, Responder};

    let later = NOW + 8 * DAY;
    let events = vec![
        Event::send(Initiator, "a0", NOW),
        Event::deliver(0, NOW),
        // Due after seven days: the responder's new chain carries a key.
        Event::send(Responder, "b0 with a key", later),
        Event::send(Responder, "b1 with the same key", later),
        Event::deliver(2, later),
        // The initiator answers, on a chain of which the first message is late.
        Event::send(Initiator, "a1 with the ciphertext", later + 1),
        Event::send(Initiator, "a2 with the same ciphertext", later + 1),
        Event::deliver(4, later + 2),
        Event::deliver(3, later + 2),
        Event::deliver(1, later + 2),
        Event::send(Responder, "b2 with nothing", later + 3),
        Event::deliver(5, later + 3),
        Event::send(Initiator, "a3 with nothing", later + 4),
        Event::deliver(6, later + 4),
    ];
    let mut randomness = Randomness::recording(3);
    let case = record("a step after seven days", ALL, events, &mut randomness).1;
    file("The post-quantum step of section 6.", vec![case])
}

fn file(description: &str, cases: Vec<Json>) -> Json {
    Json::from([("description", description.into()), ("cases", cases.into())])
}

/// Plays a conversation with the implementation, and explains its envelopes from what was drawn.
pub fn record(
    name: &str,
    used: Used,
    events: Vec<Event>,
    randomness: &mut Randomness,
) -> (Script, Json, Vec<Vec<u8>>) {
    let (initiator, responder) = (Party::found(1, randomness), Party::found(2, randomness));
    let mut prekey = |role, id| Prekey::make(&responder, role, id, randomness);
    let kem = if used.last_resort { PrekeyRole::LastResortKem } else { PrekeyRole::OneTimeKem };
    let (signed, kem) = (prekey(PrekeyRole::SignedEc, 7), prekey(kem, 9));
    let one_time = used.one_time.then(|| prekey(PrekeyRole::OneTimeEc, 11));
    let mut script = Script {
        name: name.to_owned(),
        initiator,
        responder,
        signed,
        kem,
        one_time,
        ephemeral_private: Vec::new(),
        kem_message: Vec::new(),
        ratchet_private: Vec::new(),
        signature: Vec::new(),
        events,
    };
    let envelopes = script.play(Some(randomness));
    // ECDSA is deterministic here, so that this is the signature that was sent.
    let signed = input("Plasma/v1/initiation", &[&transcript_hash(&script)]);
    script.signature = script.initiator.load().keys.sign(&signed).to_bytes().to_vec();
    let (json, traced) = trace(&script);
    assert_eq!(traced, envelopes, "the implementation and the document differ");
    (script, json, envelopes)
}

/// Recomputes every case from its inputs, and lets the implementation play it.
pub fn replay(file: &Value) {
    for case in file.list("cases") {
        replay_case(case);
    }
}

/// Recomputes one conversation, and returns its script.
pub fn replay_case(case: &Value) -> Script {
    let mut script = Script::read(case);
    let (json, envelopes) = trace(&script);
    json.expect(case, &script.name);
    assert_eq!(script.play(None), envelopes, "the implementation makes other envelopes");
    script
}
