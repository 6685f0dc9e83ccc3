//! A receiver that cannot open an envelope asks for a new session, and gets at most one.

use plasma_e2ee::{DecryptError, RetryError, RetryRequest, envelope_hash, is_retry_request, peek};
use plasma_identity::DecodeError;

use crate::world::{DAY, Device, NOW};

/// Alice and Bob after a message each way, and what Bob cannot open any more.
fn parted() -> (Device, Device, Vec<u8>) {
    let (mut alice, mut bob) = (Device::founder(1, 3), Device::founder(2, 3));
    let first = alice.send(&mut bob, b"one");
    bob.receive(&alice, &first).unwrap();
    let reply = bob.send(&mut alice, b"two");
    alice.receive(&bob, &reply).unwrap();
    let lost = alice.send(&mut bob, b"three");
    (alice, bob, lost)
}

fn ask(asking: &Device, asked: &Device, envelope: &[u8]) -> RetryRequest {
    RetryRequest::for_envelope(&asking.keys, asked.address(), envelope, NOW).unwrap()
}

fn archive(device: &mut Device, peer: &Device, request: &RetryRequest) -> bool {
    device.records.get_mut(&peer.address()).unwrap().archive_for(request)
}

#[test]
fn a_receiver_that_lost_its_record_gets_the_message_on_a_new_session() {
    let (mut alice, mut bob, lost) = parted();
    bob.records.clear();
    let error = bob.receive(&alice, &lost).unwrap_err();
    assert!(error == DecryptError::UnknownSession && error.is_repairable());
    let bytes = ask(&bob, &alice, &lost).to_bytes();
    assert!(is_retry_request(&bytes) && !is_retry_request(&lost) && !is_retry_request(&[]));

    let request = RetryRequest::from_bytes(&bytes).unwrap();
    request.verify(&bob.account, alice.address(), NOW).unwrap();
    assert_eq!(request.envelope_hash(), envelope_hash(&lost));
    assert_eq!((request.sender(), request.recipient()), (bob.address(), alice.address()));
    assert_eq!((request.session_id(), request.made()), (peek(&lost).unwrap().session_id, NOW));
    assert!(archive(&mut alice, &bob, &request));
    assert!(!archive(&mut alice, &bob, &request), "a repeated request resets nothing");
    let again = alice.send(&mut bob, b"three");
    assert!(peek(&again).unwrap().initiation.is_some());
    assert_eq!(bob.receive(&alice, &again).unwrap(), b"three");
    assert!(!archive(&mut alice, &bob, &request), "nor does one that comes late");
    let back = bob.send(&mut alice, b"thanks");
    assert_eq!(alice.receive(&bob, &back).unwrap(), b"thanks");
}

#[test]
fn a_request_about_an_earlier_ratchet_key_resets_nothing() {
    let (mut alice, mut bob, lost) = parted();
    let request = ask(&bob, &alice, &lost);
    bob.receive(&alice, &lost).unwrap();
    let reply = bob.send(&mut alice, b"four");
    alice.receive(&bob, &reply).unwrap();
    let session = alice.record(bob.address()).active_session();
    assert_eq!(session, Some(request.session_id()));
    // The peer has answered that key; this side has not sent since.
    assert!(!archive(&mut alice, &bob, &request));
    // It has sent since, under its next key.
    let next = alice.send(&mut bob, b"five");
    assert_ne!(next[164..229], lost[164..229]);
    assert!(!archive(&mut alice, &bob, &request));
    assert_eq!(alice.record(bob.address()).active_session(), session);
    let request = ask(&bob, &alice, &next);
    assert!(archive(&mut alice, &bob, &request));
    assert_eq!(alice.record(bob.address()).active_session(), None);
    assert_eq!(alice.record(bob.address()).archived_sessions(), 1);
}

#[test]
fn a_request_about_another_pair_or_session_resets_nothing() {
    let (mut alice, mut bob, lost) = parted();
    let tablet = Device::linked(&mut bob, 2, 0);
    let mut relabelled = lost.clone();
    relabelled[52..68].copy_from_slice(tablet.address().device.as_bytes());
    let request = ask(&tablet, &alice, &relabelled);
    assert!(!archive(&mut alice, &bob, &request));
    let mut elsewhere = lost.clone();
    elsewhere[68] ^= 1;
    let request = ask(&bob, &alice, &elsewhere);
    assert!(!archive(&mut alice, &bob, &request));
    assert!(alice.record(bob.address()).active_session().is_some());
    // A responder that has sent nothing has no ratchet key that a request could name.
    let first = alice.send(&mut bob, b"six");
    bob.receive(&alice, &first).unwrap();
    let request = ask(&bob, &alice, &first);
    assert!(!archive(&mut bob, &alice, &request));
}

#[test]
fn a_request_is_made_for_ones_own_envelopes_only() {
    let (alice, mut bob, lost) = parted();
    let tablet = Device::linked(&mut bob, 2, 0);
    let make = |keys, to, envelope: &[u8]| {
        RetryRequest::for_envelope(keys, to, envelope, NOW).map(drop).unwrap_err()
    };
    assert_eq!(make(&tablet.keys, alice.address(), &lost), RetryError::WrongAddress);
    assert_eq!(make(&bob.keys, tablet.address(), &lost), RetryError::WrongAddress);
    let malformed = make(&bob.keys, alice.address(), &lost[..100]);
    assert!(matches!(malformed, RetryError::NotAnEnvelope(DecryptError::MalformedEnvelope(_))));
}

#[test]
fn only_a_current_device_of_the_account_is_followed_and_only_in_time() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let mut tablet = Device::linked(&mut bob, 2, 1);
    let envelope = alice.send(&mut tablet, b"hello");
    let request = ask(&tablet, &alice, &envelope);
    let verify = |request: &RetryRequest, now| request.verify(&bob.account, alice.address(), now);
    assert_eq!(verify(&request, NOW), Ok(()));
    assert_eq!(verify(&request, NOW + 45 * DAY), Ok(()));
    assert_eq!(verify(&request, NOW + 45 * DAY + 1), Err(RetryError::Expired));
    assert_eq!(verify(&request, NOW - DAY), Ok(()));
    assert_eq!(verify(&request, NOW - DAY - 1), Err(RetryError::NotYetValid));
    let elsewhere = request.verify(&bob.account, bob.address(), NOW);
    assert_eq!(elsewhere, Err(RetryError::WrongAddress));
    let misattributed = request.verify(&alice.account, alice.address(), NOW);
    assert_eq!(misattributed, Err(RetryError::WrongAddress));

    let mut bytes = request.to_bytes();
    for position in 0..bytes.len() {
        bytes[position] ^= 1 << (position % 8);
        let refused = match RetryRequest::from_bytes(&bytes) {
            Ok(changed) => verify(&changed, NOW).is_err(),
            Err(_) => true,
        };
        assert!(refused, "byte {position}");
        bytes[position] ^= 1 << (position % 8);
    }
    for length in 0..bytes.len() {
        assert!(RetryRequest::from_bytes(&bytes[..length]).is_err());
    }
    bytes.push(0);
    let longer = RetryRequest::from_bytes(&bytes).map(drop);
    assert_eq!(longer, Err(DecodeError::TrailingBytes));

    // Signed by another device of the account.
    let mut claimed = RetryRequest::from_bytes(&bytes[..RetryRequest::LENGTH]).unwrap().to_bytes();
    claimed[34..50].copy_from_slice(bob.address().device.as_bytes());
    let claimed = RetryRequest::from_bytes(&claimed).unwrap();
    assert_eq!(verify(&claimed, NOW), Err(RetryError::BadSignature));

    let manifest = bob.keys.revoke(&bob.account, tablet.address().device, NOW).unwrap();
    let mut account = bob.account.clone();
    account.advance(&[manifest], &[], NOW).unwrap();
    let removed = request.verify(&account, alice.address(), NOW);
    assert_eq!(removed, Err(RetryError::Uncertified));
}

#[test]
fn what_a_new_session_helps_is_repairable_and_nothing_else_is() {
    let malformed = DecryptError::MalformedEnvelope(DecodeError::Truncated);
    for (error, repairable) in [
        (malformed, false),
        (DecryptError::UnsupportedVersion, false),
        (DecryptError::WrongAddress, false),
        (DecryptError::UnknownSenderManifest, false),
        (DecryptError::UnknownOwnManifest, false),
        (DecryptError::UncertifiedSender, false),
        (DecryptError::UncertifiedRecipient, false),
        (DecryptError::UnknownSession, true),
        (DecryptError::Duplicate, false),
        (DecryptError::TooFarAhead, true),
        (DecryptError::OutOfTurn, true),
        (DecryptError::PqOutOfTurn, true),
        (DecryptError::BadCommitment, true),
        (DecryptError::BadMac, false),
        (DecryptError::BadPadding, false),
        (DecryptError::BadSignature, false),
        (DecryptError::MissingPrekey, true),
        (DecryptError::ExpiredKeys, true),
        (DecryptError::ReplayedInitiation, true),
    ] {
        assert_eq!(error.is_repairable(), repairable, "{error}");
    }
}

#[test]
fn a_sender_that_goes_on_initiating_on_a_lost_session_is_repaired_without_one_time_keys_too() {
    let (mut alice, mut bob) = (Device::founder(1, 0), Device::founder(2, 0));
    let first = alice.send(&mut bob, b"one");
    bob.receive(&alice, &first).unwrap();
    bob.records.clear();
    let second = alice.send(&mut bob, b"two");
    let error = bob.receive(&alice, &second).unwrap_err();
    assert!(error == DecryptError::ReplayedInitiation && error.is_repairable());
    let request = ask(&bob, &alice, &second);
    assert!(archive(&mut alice, &bob, &request));
    let again = alice.send(&mut bob, b"two");
    assert_eq!(bob.receive(&alice, &again).unwrap(), b"two");
}
