//! Retry requests: section 13.

use plasma_e2ee::RetryRequest;
use serde_json::Value;

use crate::account::NOW;
use crate::bare::{hash, point, verify};
use crate::conversation::{ALL, record, replay_case};
use crate::fields::Fields;
use crate::json::Json;
use crate::random::Randomness;
use crate::script::{Event, Script, Side};

/// A request for the first message of a session.
pub fn make() -> Json {
    let events = vec![Event::send(Side::Initiator, "lost", NOW)];
    let mut randomness = Randomness::recording(9);
    let (script, case, envelopes) = record("a message that is lost", ALL, events, &mut randomness);
    let responder = script.responder.load();
    let asked = script.initiator.address;
    let request = RetryRequest::for_envelope(&responder.keys, asked, &envelopes[0], NOW + 60);
    let bytes = request.expect("an envelope").to_bytes();
    trace(&script, case, &envelopes[0], NOW + 60, &bytes[219..])
}

fn trace(script: &Script, case: Json, envelope: &[u8], made: u64, signature: &[u8]) -> Json {
    let envelope_hash = hash("Plasma/v1/envelope-hash", &[envelope]);
    let statement = [
        &[0x12, 1],
        &script.responder.address.to_bytes()[..],
        &script.initiator.address.to_bytes(),
        &envelope[68..84],
        &envelope[164..229],
        &envelope_hash,
        &made.to_be_bytes(),
    ]
    .concat();
    let signing = point(&script.responder.signing_private);
    verify(&signing, "Plasma/v1/retry-request", &[&statement], signature);
    Json::from([
        ("description", "A retry request of section 13; the responder asks.".into()),
        ("conversation", case),
        ("envelope_hash", (&envelope_hash).into()),
        ("made", made.into()),
        ("statement", (&statement).into()),
        ("signature", signature.into()),
        ("request", (&[&statement, signature].concat()).into()),
    ])
}

/// Recomputes the request, and lets the implementation verify it.
pub fn replay(file: &Value) {
    let case = file.object("conversation");
    let mut script = replay_case(case);
    let envelopes = script.play(None);
    let (json, _) = crate::trace::trace(&script);
    let made = trace(&script, json, &envelopes[0], file.number("made"), &file.bytes("signature"));
    made.expect(file, "retry");
    let request = RetryRequest::from_bytes(&file.bytes("request")).expect("a request");
    let account = script.responder.load().account;
    let verified = request.verify(&account, script.initiator.address, file.number("made"));
    assert_eq!(verified, Ok(()));
}
