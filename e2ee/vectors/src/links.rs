//! Fingerprints, contact links and safety numbers.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plasma_identity::{Fingerprint, SafetyComparison, SafetyNumber};
use serde_json::Value;

use crate::account::Party;
use crate::bare::hkdf;
use crate::fields::Fields;
use crate::json::Json;
use crate::random::Randomness;

const LINK: &str = "https://chat.example/c/AbCdEfGhIjKlMnOpQrStUv";

/// A fingerprint and the link that carries it, and texts that are no fingerprints.
pub fn contact_link() -> Json {
    let account = Party::found(1, &mut Randomness::recording(5));
    let text = URL_SAFE_NO_PAD.encode(account.fingerprint());
    let refused = vec![
        text[..42].into(),
        format!("{text}=").into(),
        format!("{text}A").into(),
        format!("##{text}").into(),
        // The two alphabets of base64 differ in two characters.
        format!("+{}", &text[1..]).into(),
        // The last of 43 characters holds two bits that must be zero.
        format!("{}B", "A".repeat(42)).into(),
    ];
    contact_link_of(&account, refused)
}

fn contact_link_of(account: &Party, refused: Vec<Json>) -> Json {
    let fingerprint = account.fingerprint();
    let text = URL_SAFE_NO_PAD.encode(&fingerprint);
    Json::from([
        ("description", "The fingerprint of section 2 and the contact link.".into()),
        ("account", account.trace()),
        ("fingerprint", (&fingerprint).into()),
        ("text", text.as_str().into()),
        ("link", format!("{LINK}#{text}").into()),
        ("refused", refused.into()),
    ])
}

/// Recomputes the texts, and lets the implementation read and refuse them.
pub fn replay_contact_link(file: &Value) {
    let account = Party::read(file.object("account"));
    let refused = file.list("refused").iter().map(|text| {
        let text = text.as_str().expect("a text");
        assert!(text.parse::<Fingerprint>().is_err(), "{text} is accepted");
        text.into()
    });
    contact_link_of(&account, refused.collect()).expect(file, "contact-link");
    let read = file.text("text").parse::<Fingerprint>().expect("a fingerprint");
    assert_eq!(read.to_bytes()[..], account.fingerprint());
    assert_eq!(read, account.load().account.fingerprint());
}

/// The number of two accounts, from both sides.
pub fn safety_number() -> Json {
    let mut randomness = Randomness::recording(6);
    let accounts = [Party::found(1, &mut randomness), Party::found(2, &mut randomness)];
    safety_number_of(accounts.map(|account| account.fingerprint()))
}

/// Section 12.
fn safety_number_of([own, peer]: [Vec<u8>; 2]) -> Json {
    let mut sorted = [&own, &peer];
    sorted.sort_unstable();
    let derived =
        hkdf(&[0; 32], &sorted.map(Vec::as_slice).concat(), "Plasma/v1/safety-number", &[], 60);
    let group = |five: &[u8; 5]| {
        let number = five.iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        format!("{:05}", number % 100_000)
    };
    let groups: Vec<String> = derived.as_chunks::<5>().0.iter().map(group).collect();
    let qr = |first: &[u8], second: &[u8]| {
        format!("plasma-safety:1:{}", URL_SAFE_NO_PAD.encode([first, second].concat()))
    };
    Json::from([
        ("description", "The safety number of two accounts.".into()),
        ("own_fingerprint", (&own).into()),
        ("peer_fingerprint", (&peer).into()),
        ("derived", (&derived).into()),
        ("digits", groups.join(" ").into()),
        ("own_qr_text", qr(&own, &peer).into()),
        ("peer_qr_text", qr(&peer, &own).into()),
    ])
}

/// Recomputes the digits, and lets the implementation show and compare them.
pub fn replay_safety_number(file: &Value) {
    let [own, peer] = ["own_fingerprint", "peer_fingerprint"].map(|name| file.array::<32>(name));
    safety_number_of([own.to_vec(), peer.to_vec()]).expect(file, "safety-number");
    let [own, peer] = [own, peer].map(Fingerprint::from_bytes);
    let (ours, theirs) = (SafetyNumber::of(own, peer), SafetyNumber::of(peer, own));
    assert_eq!(ours.to_string(), file.text("digits"));
    assert_eq!(theirs.to_string(), file.text("digits"));
    assert_eq!(ours.qr_text(), file.text("own_qr_text"));
    let compared = ours.compare(file.text("peer_qr_text"));
    assert_eq!(compared, Ok(SafetyComparison::Match));
}
