//! A hostile service: every changed byte, every misdirected envelope.

use std::collections::HashSet;

use crate::world::{Device, NOW};
use plasma_e2ee::{
    DecryptError, DeviceKeys, HandshakeKeys, LocalDevice, MAX_ENVELOPE_LENGTH, PQ_STEP_SECONDS,
    ParticipantError, SessionRecord, decrypt, peek,
};
use plasma_identity::Signer;

/// Flips a bit of each byte in turn; `receive` asserts that the record stays as it was.
fn every_changed_byte_is_refused(receiver: &mut Device, sender: &Device, envelope: &[u8]) {
    let prekeys = receiver.prekeys.len();
    let mut reasons = HashSet::new();
    for position in 0..envelope.len() {
        let mut changed = envelope.to_vec();
        changed[position] ^= 1 << (position % 8);
        let error = receiver.receive(sender, &changed).unwrap_err();
        reasons.insert(error.reason());
    }
    for length in (0..envelope.len()).step_by(7) {
        receiver.receive(sender, &envelope[..length]).unwrap_err();
    }
    let mut longer = envelope.to_vec();
    longer.push(0);
    assert_eq!(receiver.receive(sender, &longer), Err(DecryptError::BadMac));
    assert_eq!(receiver.prekeys.len(), prekeys);
    for expected in ["BAD_COMMITMENT", "BAD_MAC", "MALFORMED_ENVELOPE", "WRONG_ADDRESS"] {
        assert!(reasons.contains(expected), "{reasons:?}");
    }
    receiver.receive(sender, envelope).unwrap();
}

#[test]
fn every_changed_byte_of_an_initiation_is_refused() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let envelope = alice.send(&mut bob, b"hello");
    every_changed_byte_is_refused(&mut bob, &alice, &envelope);
    let second = alice.send(&mut bob, b"again");
    every_changed_byte_is_refused(&mut bob, &alice, &second);
}

#[test]
fn every_changed_byte_of_a_message_is_refused() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let first = alice.send(&mut bob, b"hello");
    bob.receive(&alice, &first).unwrap();
    let turned = bob.send(&mut alice, b"a turn");
    every_changed_byte_is_refused(&mut alice, &bob, &turned);
    let same_chain = bob.send(&mut alice, b"the same chain");
    every_changed_byte_is_refused(&mut alice, &bob, &same_chain);
}

#[test]
fn every_changed_byte_of_a_post_quantum_step_is_refused() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let first = alice.send(&mut bob, b"hello");
    bob.receive(&alice, &first).unwrap();
    bob.now += PQ_STEP_SECONDS;
    let offer = bob.send(&mut alice, b"a key");
    assert_eq!(offer[3], 1);
    every_changed_byte_is_refused(&mut alice, &bob, &offer);
    let again = bob.send(&mut alice, b"the same key");
    every_changed_byte_is_refused(&mut alice, &bob, &again);
    let answer = alice.send(&mut bob, b"a ciphertext");
    assert_eq!(answer[3], 2);
    every_changed_byte_is_refused(&mut bob, &alice, &answer);
}

#[test]
fn an_envelope_for_another_device_is_refused() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let mut tablet = Device::linked(&mut bob, 2, 1);
    let envelope = alice.send(&mut bob, b"for the phone");
    assert_eq!(tablet.receive(&alice, &envelope), Err(DecryptError::WrongAddress));

    // Relabelled for the tablet, whose prekeys have the same ids.
    let mut relabelled = envelope.clone();
    relabelled[52..68].copy_from_slice(tablet.address().device.as_bytes());
    assert_eq!(tablet.receive(&alice, &relabelled), Err(DecryptError::BadCommitment));
    assert_eq!(bob.receive(&alice, &relabelled), Err(DecryptError::WrongAddress));
    bob.receive(&alice, &envelope).unwrap();
}

#[test]
fn a_relabelled_sender_is_refused() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let tablet = Device::linked(&mut alice, 2, 1);
    let envelope = alice.send(&mut bob, b"from the phone");
    let mut relabelled = envelope.clone();
    relabelled[36..52].copy_from_slice(tablet.address().device.as_bytes());
    assert_eq!(peek(&relabelled).unwrap().sender, tablet.address());
    assert_eq!(bob.receive(&alice, &relabelled), Err(DecryptError::WrongAddress));
    // As the service would have it, with the account and the record of the other device.
    assert_eq!(bob.receive(&tablet, &relabelled), Err(DecryptError::BadCommitment));
    bob.receive(&alice, &envelope).unwrap();
    let mut second = alice.send(&mut bob, b"again");
    second[36..52].copy_from_slice(tablet.address().device.as_bytes());
    assert!(bob.receive(&tablet, &second).is_err());
}

#[test]
fn a_device_that_no_manifest_lists_is_uncertified() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let before = alice.account.clone();
    let mut ghost = Device::linked(&mut alice, 2, 1);
    let envelope = ghost.send(&mut bob, b"boo");
    let result = bob.receive_from(ghost.address(), &before, &envelope);
    assert_eq!(result.unwrap_err(), DecryptError::UnknownSenderManifest);

    // The ghost claims a manifest that the viewer knows.
    let mut claims = envelope.clone();
    claims[84..92].copy_from_slice(&before.epoch().to_be_bytes());
    claims[92..124].copy_from_slice(&before.manifest_hash().0);
    let result = bob.receive_from(ghost.address(), &before, &claims);
    assert_eq!(result.unwrap_err(), DecryptError::UncertifiedSender);
}

#[test]
fn keys_of_another_device_do_not_stand_for_this_one() {
    let alice = Device::founder(1, 1);
    let mut bytes = alice.keys.to_bytes().to_vec();
    let other = Device::founder(3, 0).keys.to_bytes();
    bytes[50..82].copy_from_slice(&other[50..82]);
    let forger = DeviceKeys::from_bytes(&bytes).unwrap();
    let result = LocalDevice::new(&forger, &alice.account);
    assert_eq!(result.unwrap_err(), ParticipantError::WrongKeys);
}

#[test]
fn an_initiation_that_the_claimed_device_has_not_signed_is_refused() {
    // Whoever holds Bob's private prekeys can compute every secret of a session that claims to be
    // Alice's, but not her signature of its transcript.
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    alice.send(&mut bob, b"hello");
    let record = alice.record(bob.address());
    let mut stored = record.to_bytes().to_vec();
    let signature = 1392..1456;
    let mallory = Device::founder(3, 0);
    stored[signature].copy_from_slice(&mallory.keys.sign(b"something").to_bytes());
    let forged = SessionRecord::from_bytes(&stored).unwrap();
    alice.records.insert(bob.address(), forged);
    let envelope = alice.send(&mut bob, b"forged");
    assert_eq!(bob.receive(&alice, &envelope), Err(DecryptError::BadSignature));
    alice.records.insert(bob.address(), record);
    let envelope = alice.send(&mut bob, b"genuine");
    assert_eq!(bob.receive(&alice, &envelope).unwrap(), b"genuine");
}

#[test]
fn what_is_not_an_envelope_is_malformed() {
    let (alice, bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let local = LocalDevice::new(&bob.keys, &bob.account).unwrap();
    let mut record = SessionRecord::new(bob.address(), alice.address());
    for bytes in
        [&[][..], &[0x10], &[0x10, 1, 1, 0], &[0; 300], &vec![0x10; MAX_ENVELOPE_LENGTH + 1]]
    {
        let keys = HandshakeKeys::default();
        let error = decrypt(&mut record, &local, &keys, &alice.account, bytes, NOW).unwrap_err();
        assert_eq!(error.reason(), "MALFORMED_ENVELOPE");
    }
    for header in
        [[0x10, 2, 1, 0], [0x11, 1, 2, 0], [0x10, 1, 1, 3], [0x10, 1, 1, 4], [0x11, 1, 1, 1]]
    {
        assert_eq!(peek(&header).unwrap_err(), DecryptError::UnsupportedVersion);
    }
}
