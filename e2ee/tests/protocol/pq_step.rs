//! The post-quantum step on the wire: when it comes, what it survives, what is refused.

use crate::world::{DAY, Device, NOW};
use plasma_e2ee::{
    DecryptError, MAX_CONTENT_LENGTH, MAX_ENVELOPE_LENGTH, PQ_STEP_MESSAGES, PQ_STEP_SECONDS,
    SessionRecord, StateError,
};
use plasma_identity::DecodeError;

const NOTHING: u8 = 0;
const KEY: u8 = 1;
const CIPHERTEXT: u8 = 2;

/// What an envelope's header carries for a step.
fn carried(envelope: &[u8]) -> (u8, &[u8]) {
    let length = [0, 1184, 1088][usize::from(envelope[3])];
    (envelope[3], if envelope[0] == 0x11 { &[] } else { &envelope[253..253 + length] })
}

fn pass(from: &mut Device, to: &mut Device) -> u8 {
    let envelope = from.send(to, b"x");
    assert_eq!(to.receive(from, &envelope).unwrap(), b"x");
    envelope[3]
}

/// Two devices with an established session; the next turn is Alice's.
fn acquainted() -> (Device, Device) {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    assert_eq!(pass(&mut alice, &mut bob), NOTHING);
    assert_eq!(pass(&mut bob, &mut alice), NOTHING);
    (alice, bob)
}

/// The same, and seven days later on Alice's clock.
fn due() -> (Device, Device) {
    let (mut alice, bob) = acquainted();
    alice.now += PQ_STEP_SECONDS;
    (alice, bob)
}

#[test]
fn after_50_messages_a_turn_offers_a_key_and_the_next_one_answers_it() {
    for late in 0..2 {
        let (mut alice, mut bob) = acquainted();
        for _ in 0..PQ_STEP_MESSAGES - 2 - late {
            assert_eq!(pass(&mut bob, &mut alice), NOTHING);
        }
        // With 49 behind them the next turn passes by, and the one after it comes to its place.
        if late == 1 {
            assert_eq!(pass(&mut alice, &mut bob), NOTHING);
            assert_eq!(pass(&mut bob, &mut alice), KEY);
            assert_eq!(pass(&mut alice, &mut bob), CIPHERTEXT);
            continue;
        }
        assert_eq!(pass(&mut alice, &mut bob), KEY);
        assert_eq!(pass(&mut bob, &mut alice), CIPHERTEXT);
        // Both sides count from the step on, whoever offered.
        for _ in 0..PQ_STEP_MESSAGES / 2 - 1 {
            assert_eq!(pass(&mut alice, &mut bob), NOTHING);
            assert_eq!(pass(&mut bob, &mut alice), NOTHING);
        }
        assert_eq!(pass(&mut alice, &mut bob), NOTHING);
        assert_eq!(pass(&mut bob, &mut alice), KEY);
        assert_eq!(pass(&mut alice, &mut bob), CIPHERTEXT);
    }
}

#[test]
fn after_seven_days_a_turn_offers_a_key_and_the_step_starts_the_time_anew() {
    let (mut alice, mut bob) = acquainted();
    assert_eq!(PQ_STEP_SECONDS, 7 * DAY);
    alice.now += PQ_STEP_SECONDS - 1;
    bob.now += PQ_STEP_SECONDS - 1;
    assert_eq!(pass(&mut alice, &mut bob), NOTHING);
    bob.now += 1;
    alice.now += 1;
    assert_eq!(pass(&mut bob, &mut alice), KEY);
    assert_eq!(pass(&mut alice, &mut bob), CIPHERTEXT);
    for _ in 0..3 {
        assert_eq!(pass(&mut bob, &mut alice), NOTHING);
        assert_eq!(pass(&mut alice, &mut bob), NOTHING);
    }
    // A clock that was set back hurries nothing.
    bob.now = NOW - DAY;
    assert_eq!(pass(&mut bob, &mut alice), NOTHING);
}

#[test]
fn any_message_of_a_chain_is_enough_for_the_step() {
    for arriving in 0..3 {
        let (mut alice, mut bob) = due();
        let offers: Vec<_> = (0..3).map(|_| alice.send(&mut bob, b"offer")).collect();
        assert!(offers.iter().all(|offer| carried(offer) == carried(&offers[0])));
        assert_eq!(carried(&offers[0]).0, KEY);
        bob.reload(alice.address());
        assert_eq!(bob.receive(&alice, &offers[arriving]).unwrap(), b"offer");
        bob.reload(alice.address());
        let answers: Vec<_> = (0..3).map(|_| bob.send(&mut alice, b"answer")).collect();
        assert!(answers.iter().all(|answer| carried(answer) == carried(&answers[0])));
        assert_eq!(carried(&answers[0]).0, CIPHERTEXT);
        alice.reload(bob.address());
        assert_eq!(alice.receive(&bob, &answers[2 - arriving]).unwrap(), b"answer");
        alice.reload(bob.address());
        assert_eq!(pass(&mut alice, &mut bob), NOTHING);
        assert_eq!(pass(&mut bob, &mut alice), NOTHING);
        // What comes late is opened, and what comes again is not.
        for (index, (offer, answer)) in offers.iter().zip(&answers).enumerate() {
            let opened = bob.receive(&alice, offer);
            assert_eq!(opened.is_ok(), index != arriving);
            assert_eq!(alice.receive(&bob, answer).is_ok(), index != 2 - arriving);
            assert_eq!(bob.receive(&alice, offer), Err(DecryptError::Duplicate));
            assert_eq!(alice.receive(&bob, answer), Err(DecryptError::Duplicate));
        }
    }
}

#[test]
fn the_seed_is_wiped_when_the_answer_has_come() {
    let (mut alice, mut bob) = due();
    let offer = alice.send(&mut bob, b"offer");
    let stored = alice.record(bob.address()).to_bytes();
    let key = carried(&offer).1;
    let at = stored.windows(key.len()).position(|window| window == key).unwrap();
    let seed = stored[at - 64..at].to_vec();
    let holds = |device: &Device, peer: &Device| {
        let stored = device.record(peer.address()).to_bytes();
        stored.windows(32).any(|window| seed.windows(32).any(|part| part == window))
    };
    bob.receive(&alice, &offer).unwrap();
    assert!(holds(&alice, &bob) && !holds(&bob, &alice));
    assert_eq!(pass(&mut bob, &mut alice), CIPHERTEXT);
    assert!(!holds(&alice, &bob));
}

#[test]
fn a_ciphertext_without_a_key_under_way_is_refused() {
    let (mut alice, mut bob) = acquainted();
    let turned = alice.send(&mut bob, b"a turn");
    let forged = [&turned[..3], &[CIPHERTEXT], &turned[4..253], &[7; 1088], &turned[253..]];
    let error = bob.receive(&alice, &forged.concat()).unwrap_err();
    assert_eq!((error, error.reason()), (DecryptError::PqOutOfTurn, "PQ_OUT_OF_TURN"));
    assert_eq!(bob.receive(&alice, &turned).unwrap(), b"a turn");
}

#[test]
fn a_key_under_way_is_answered_by_a_ciphertext_and_by_nothing_else() {
    let (mut alice, mut bob) = due();
    let offer = alice.send(&mut bob, b"offer");
    bob.receive(&alice, &offer).unwrap();
    let answer = bob.send(&mut alice, b"answer");
    let stripped = [&answer[..3], &[NOTHING], &answer[4..253], &answer[1341..]].concat();
    assert_eq!(alice.receive(&bob, &stripped), Err(DecryptError::PqOutOfTurn));
    let (_, key) = carried(&offer);
    let countered = [&answer[..3], &[KEY], &answer[4..253], key, &answer[1341..]].concat();
    assert_eq!(alice.receive(&bob, &countered), Err(DecryptError::PqOutOfTurn));
    assert_eq!(alice.receive(&bob, &answer).unwrap(), b"answer");
}

#[test]
fn a_wrong_ciphertext_shows_as_a_wrong_commitment() {
    let (mut alice, mut bob) = due();
    let offer = alice.send(&mut bob, b"offer");
    bob.receive(&alice, &offer).unwrap();
    // Genuine, for the same key, but of another run of the same turn.
    let other = bob.clone().send_with(&mut alice, b"answer", &mut crate::world::rng(77));
    let answer = bob.send(&mut alice, b"answer");
    let swapped = [&answer[..253], carried(&other).1, &answer[1341..]].concat();
    assert_eq!(alice.receive(&bob, &swapped), Err(DecryptError::BadCommitment));
    let mut flipped = answer.clone();
    flipped[253 + 1087] ^= 0x80;
    assert_eq!(alice.receive(&bob, &flipped), Err(DecryptError::BadCommitment));
    assert_eq!(alice.receive(&bob, &answer).unwrap(), b"answer");
}

#[test]
fn a_changed_or_invalid_key_is_refused() {
    let (mut alice, mut bob) = due();
    let offer = alice.send(&mut bob, b"offer");
    // The matrix seed at the key's end: still a valid key, but not the one that was sealed.
    let mut changed = offer.clone();
    changed[253 + 1183] ^= 1;
    assert_eq!(bob.receive(&alice, &changed), Err(DecryptError::BadMac));
    let mut invalid = offer.clone();
    invalid[253..256].copy_from_slice(&[0x01, 0x0d, 0]); // 3,329
    let malformed = |error| Err(DecryptError::MalformedEnvelope(error));
    assert_eq!(bob.receive(&alice, &invalid), malformed(DecodeError::InvalidKemKey));
    assert_eq!(bob.receive(&alice, &offer[..1400]), malformed(DecodeError::Truncated));
    assert_eq!(bob.receive(&alice, &offer).unwrap(), b"offer");
}

#[test]
fn the_longest_content_fits_beside_an_extension() {
    let (mut alice, mut bob) = due();
    let content = vec![1; MAX_CONTENT_LENGTH];
    let offer = alice.send(&mut bob, &content);
    assert_eq!((offer[3], offer.len()), (KEY, 253 + 1184 + 32 + 65_536 + 16));
    assert!(offer.len() <= MAX_ENVELOPE_LENGTH);
    assert_eq!(bob.receive(&alice, &offer).unwrap(), content);
    let first = alice.send(&mut Device::founder(3, 1), &content);
    assert_eq!(first.len(), MAX_ENVELOPE_LENGTH);
    assert_eq!(MAX_ENVELOPE_LENGTH, 67_132);
}

#[test]
fn a_record_of_the_version_before_is_refused() {
    let (alice, bob) = acquainted();
    let mut stored = alice.record(bob.address()).to_bytes().to_vec();
    assert_eq!(stored[1], 2);
    stored[1] = 1;
    let error = SessionRecord::from_bytes(&stored).unwrap_err();
    assert_eq!(error, StateError(DecodeError::UnsupportedVersion(1)));
}

#[test]
fn a_key_under_way_outlives_the_archive() {
    let (mut alice, mut bob) = due();
    let offer = alice.send(&mut bob, b"offer");
    bob.receive(&alice, &offer).unwrap();
    let session = alice.record(bob.address()).active_session();
    alice.records.get_mut(&bob.address()).unwrap().archive_active();
    alice.reload(bob.address());
    assert_eq!(pass(&mut bob, &mut alice), CIPHERTEXT);
    assert_eq!(alice.record(bob.address()).active_session(), session);
    assert_eq!(pass(&mut alice, &mut bob), NOTHING);
    assert_eq!(pass(&mut bob, &mut alice), NOTHING);
}
