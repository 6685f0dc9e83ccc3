//! Two devices talk: handshakes, ratchets, replays, crossings.

use crate::world::{DAY, Device, NOW, commitment, rng};
use plasma_e2ee::{
    DecryptError, EncryptError, InitiateError, LocalDevice, MAX_CONTENT_LENGTH,
    MAX_UNCONFIRMED_SECONDS, RemoteDevice, SessionRecord, decrypt, encrypt, initiate,
    padded_length, peek,
};
use plasma_identity::{PrekeyError, PrekeyRole};

#[test]
fn the_first_message_starts_a_session_and_the_reply_confirms_it() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let first = alice.send(&mut bob, b"hello");
    let info = peek(&first).unwrap();
    assert_eq!(info.sender, alice.address());
    assert_eq!(info.recipient_device, bob.address().device);
    assert_eq!(info.recipient_manifest.hash, bob.account.manifest_hash());
    let initiation = info.initiation.unwrap();
    assert_eq!(initiation.kem_role, PrekeyRole::OneTimeKem);
    assert_eq!(initiation.one_time_prekey_id, Some(0));
    assert_eq!(initiation.replay_marker, None);
    assert_eq!(bob.receive(&alice, &first).unwrap(), b"hello");
    assert!(!bob.prekeys.contains_key(&(PrekeyRole::OneTimeEc, 0)));
    assert!(!bob.prekeys.contains_key(&(PrekeyRole::OneTimeKem, 0)));

    let second = alice.send(&mut bob, b"still an initiation");
    assert!(peek(&second).unwrap().initiation.is_some());
    let reply = bob.send(&mut alice, b"hi");
    assert!(peek(&reply).unwrap().initiation.is_none());
    assert!(!alice.record(bob.address()).is_confirmed());
    assert_eq!(alice.receive(&bob, &reply).unwrap(), b"hi");
    assert!(alice.record(bob.address()).is_confirmed());
    let third = alice.send(&mut bob, b"no longer one");
    assert!(peek(&third).unwrap().initiation.is_none());
    assert_eq!(bob.receive(&alice, &third).unwrap(), b"no longer one");
    assert_eq!(bob.receive(&alice, &second).unwrap(), b"still an initiation");
    assert_eq!(bob.receive(&alice, &second), Err(DecryptError::Duplicate));
}

#[test]
fn without_one_time_keys_a_repeated_initiation_is_recognised_by_its_marker() {
    let (mut alice, mut bob) = (Device::founder(1, 0), Device::founder(2, 0));
    let first = alice.send(&mut bob, b"hello");
    assert_eq!(bob.receive(&alice, &first).unwrap(), b"hello");
    assert_eq!(bob.markers.len(), 1);
    assert_eq!(bob.receive(&alice, &first), Err(DecryptError::Duplicate));
    bob.records.clear();
    assert_eq!(bob.receive(&alice, &first), Err(DecryptError::ReplayedInitiation));
}

#[test]
fn with_a_one_time_key_a_repeated_initiation_finds_it_gone() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let first = alice.send(&mut bob, b"hello");
    bob.receive(&alice, &first).unwrap();
    bob.records.clear();
    assert_eq!(bob.receive(&alice, &first), Err(DecryptError::MissingPrekey));
    bob.prekeys.remove(&(PrekeyRole::SignedEc, 7));
    assert_eq!(bob.receive(&alice, &first), Err(DecryptError::ExpiredKeys));
}

#[test]
fn a_signed_prekey_opens_nothing_45_days_after_its_expiry() {
    let (mut alice, mut bob) = (Device::founder(1, 0), Device::founder(2, 0));
    let first = alice.send(&mut bob, b"hello");
    let keys = bob.handshake_keys(&first);
    let local = LocalDevice::new(&bob.keys, &bob.account).unwrap();
    let mut record = SessionRecord::new(bob.address(), alice.address());
    let mut at = |now| decrypt(&mut record, &local, &keys, &alice.account, &first, now);
    assert_eq!(at(NOW + 90 * DAY).unwrap_err(), DecryptError::ExpiredKeys);
    assert_eq!(*at(NOW + 90 * DAY - 1).unwrap().content, b"hello");
}

#[test]
fn a_message_on_an_unknown_session_names_that_reason() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let first = alice.send(&mut bob, b"hello");
    bob.receive(&alice, &first).unwrap();
    let reply = bob.send(&mut alice, b"hi");
    alice.records.clear();
    let error = alice.receive(&bob, &reply).unwrap_err();
    assert_eq!((error, error.reason()), (DecryptError::UnknownSession, "UNKNOWN_SESSION"));
}

#[test]
fn lengths_tell_no_more_than_a_bucket() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let first = alice.send(&mut bob, b"");
    assert_eq!(first.len(), 1484 + 32 + 64 + 128 + 16);
    assert_eq!(bob.receive(&alice, &first).unwrap(), b"");
    for length in [0, 1, 127, 128, 1023, 1024, 8191, 8192, MAX_CONTENT_LENGTH] {
        let content = vec![0x80; length];
        let envelope = bob.send(&mut alice, &content);
        assert_eq!(envelope.len(), 253 + 32 + padded_length(length) + 16);
        assert_eq!(alice.receive(&bob, &envelope).unwrap(), content);
    }
    let mut record = bob.record(alice.address());
    let local = LocalDevice::new(&bob.keys, &bob.account).unwrap();
    let remote = RemoteDevice::new(&alice.account, alice.address().device).unwrap();
    let content = vec![0; MAX_CONTENT_LENGTH + 1];
    let result = encrypt(&mut record, &local, &remote, &content, &mut rng(9), NOW);
    assert_eq!(result, Err(EncryptError::TooLong));
}

#[test]
fn a_message_2000_ahead_is_opened_and_one_more_is_refused() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let first = alice.send(&mut bob, b"0");
    bob.receive(&alice, &first).unwrap();
    let envelopes: Vec<_> = (0..2002).map(|_| alice.send(&mut bob, b"n")).collect();
    assert_eq!(bob.receive(&alice, &envelopes[2001]), Err(DecryptError::TooFarAhead));
    assert_eq!(bob.receive(&alice, &envelopes[2000]).unwrap(), b"n");
    assert_eq!(bob.receive(&alice, &envelopes[2001]).unwrap(), b"n");
    bob.reload(alice.address());
    for envelope in &envelopes[..2000] {
        assert_eq!(bob.receive(&alice, envelope).unwrap(), b"n");
    }
    assert_eq!(bob.receive(&alice, &envelopes[5]), Err(DecryptError::Duplicate));
}

#[test]
fn of_more_than_2000_stored_keys_the_oldest_are_dropped() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let envelopes: Vec<_> = (0..2_100).map(|_| alice.send(&mut bob, b"n")).collect();
    bob.receive(&alice, &envelopes[1500]).unwrap();
    bob.receive(&alice, &envelopes[2099]).unwrap();
    assert_eq!(bob.receive(&alice, &envelopes[97]), Err(DecryptError::Duplicate));
    assert_eq!(bob.receive(&alice, &envelopes[98]).unwrap(), b"n");
}

#[test]
fn messages_from_four_turns_ago_are_opened_and_older_ones_are_not() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let mut late = Vec::new();
    for _ in 0..6 {
        late.push(alice.send(&mut bob, b"late"));
        let there = alice.send(&mut bob, b"there");
        bob.receive(&alice, &there).unwrap();
        let back = bob.send(&mut alice, b"back");
        alice.receive(&bob, &back).unwrap();
    }
    assert!(bob.receive(&alice, &late[0]).is_err());
    for envelope in &late[1..] {
        assert_eq!(bob.receive(&alice, envelope).unwrap(), b"late");
    }
}

#[test]
fn crossing_initiations_end_on_the_session_with_the_lower_hash() {
    for seed in 1..6 {
        let (mut alice, mut bob) = (Device::founder(seed, 1), Device::founder(seed + 10, 1));
        let from_alice = alice.send(&mut bob, b"a");
        let from_bob = bob.send(&mut alice, b"b");
        assert_eq!(bob.receive(&alice, &from_alice).unwrap(), b"a");
        assert_eq!(alice.receive(&bob, &from_bob).unwrap(), b"b");
        let (a, b) = (alice.record(bob.address()), bob.record(alice.address()));
        assert_eq!(a.active_session(), b.active_session());
        assert_eq!((a.archived_sessions(), b.archived_sessions()), (1, 1));
        let again = alice.send(&mut bob, b"a2");
        assert_eq!(bob.receive(&alice, &again).unwrap(), b"a2");
        let again = bob.send(&mut alice, b"b2");
        assert_eq!(alice.receive(&bob, &again).unwrap(), b"b2");
        assert!(alice.record(bob.address()).is_confirmed());
        assert!(bob.record(alice.address()).is_confirmed());
    }
}

#[test]
fn a_message_on_an_archived_session_makes_it_the_active_one() {
    let (mut alice, mut bob) = (Device::founder(1, 3), Device::founder(2, 3));
    let first = alice.send(&mut bob, b"one");
    bob.receive(&alice, &first).unwrap();
    let reply = bob.send(&mut alice, b"two");
    alice.receive(&bob, &reply).unwrap();
    let session = alice.record(bob.address()).active_session();
    bob.records.get_mut(&alice.address()).unwrap().archive_active();
    assert!(bob.record(alice.address()).needs_initiation(NOW));
    let third = alice.send(&mut bob, b"three");
    assert_eq!(bob.receive(&alice, &third).unwrap(), b"three");
    assert_eq!(bob.record(alice.address()).active_session(), session);
}

#[test]
fn a_record_keeps_ten_archived_sessions() {
    let (mut alice, mut bob) = (Device::founder(1, 0), Device::founder(2, 0));
    let mut envelopes = Vec::new();
    for _ in 0..13 {
        if let Some(record) = alice.records.get_mut(&bob.address()) {
            record.archive_active();
        }
        envelopes.push(alice.send(&mut bob, b"n"));
        bob.receive(&alice, envelopes.last().unwrap()).unwrap();
    }
    assert_eq!(alice.record(bob.address()).archived_sessions(), 10);
    assert_eq!(bob.record(alice.address()).archived_sessions(), 10);
    bob.reload(alice.address());
    assert_eq!(bob.receive(&alice, &envelopes[2]), Err(DecryptError::Duplicate));
    assert_eq!(bob.receive(&alice, &envelopes[1]), Err(DecryptError::ReplayedInitiation));
}

#[test]
fn an_unanswered_initiation_is_given_up_after_30_days() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    alice.send(&mut bob, b"hello");
    let mut record = alice.record(bob.address());
    let later = NOW + MAX_UNCONFIRMED_SECONDS;
    assert!(!record.needs_initiation(later - 1));
    assert!(record.needs_initiation(later));
    let local = LocalDevice::new(&alice.keys, &alice.account).unwrap();
    let remote = RemoteDevice::new(&bob.account, bob.address().device).unwrap();
    let result = encrypt(&mut record, &local, &remote, b"x", &mut rng(9), later);
    assert_eq!(result, Err(EncryptError::NoSession));
}

#[test]
fn a_bundle_that_is_not_the_devices_own_is_refused() {
    let (alice, mut bob) = (Device::founder(1, 2), Device::founder(2, 2));
    let (good, evil) = (bob.bundle(), Device::founder(3, 2).bundle());
    let local = LocalDevice::new(&alice.keys, &alice.account).unwrap();
    let remote = RemoteDevice::new(&bob.account, bob.address().device).unwrap();
    let mut record = SessionRecord::new(alice.address(), bob.address());
    let mut attempt = |bundle, now| {
        let result = initiate(&mut record, &local, &remote, &bundle, &mut rng(9), now);
        assert!(result.is_err() && record.needs_initiation(now));
        result.unwrap_err()
    };
    assert_eq!(attempt(evil.clone(), NOW), InitiateError::UncertifiedBundle);
    let mut bundle = good.clone();
    bundle.signed = evil.signed;
    assert_eq!(attempt(bundle, NOW), InitiateError::Prekey(PrekeyError::WrongDevice));
    let mut bundle = good.clone();
    bundle.kem = good.signed.clone();
    assert_eq!(attempt(bundle, NOW), InitiateError::WrongRole);
    let mut bundle = good.clone();
    bundle.one_time = Some(good.signed.clone());
    assert_eq!(attempt(bundle, NOW), InitiateError::WrongRole);
    let mut bytes = good.one_time.as_ref().unwrap().to_bytes();
    bytes[54] ^= 1; // the id
    let mut bundle = good.clone();
    bundle.one_time = Some(plasma_identity::SignedPrekey::from_bytes(&bytes).unwrap());
    assert_eq!(attempt(bundle, NOW), InitiateError::Prekey(PrekeyError::BadSignature));
    let later = NOW + 45 * DAY;
    assert_eq!(attempt(good, later), InitiateError::Prekey(PrekeyError::Expired));
}

#[test]
fn a_removed_devices_last_messages_are_opened_and_marked() {
    let (mut alice, mut bob) = (Device::founder(1, 2), Device::founder(2, 2));
    let mut tablet = Device::linked(&mut bob, 2, 2);
    let stale = alice.account.clone();
    let envelope = tablet.send(&mut alice, b"from the tablet");
    let second = tablet.send(&mut alice, b"again");
    let known = bob.account.clone();
    let opened = alice.receive_from(tablet.address(), &known, &envelope).unwrap();
    assert!(!opened.sender_removed && !opened.recipient_view_stale);

    let manifest = bob.keys.revoke(&bob.account, tablet.address().device, NOW).unwrap();
    bob.account.advance(&[manifest], &[], NOW).unwrap();
    let renewed = alice.keys.renew(&alice.account, NOW + 1).unwrap();
    alice.account.advance(&[renewed], &[], NOW).unwrap();
    assert!(RemoteDevice::new(&bob.account, tablet.address().device).is_err());
    let opened = alice.receive_from(tablet.address(), &bob.account, &second).unwrap();
    assert!(opened.sender_removed && opened.recipient_view_stale);

    let mut forgetful = bob.account.clone();
    let later = NOW + 46 * DAY;
    let manifest = bob.keys.renew(&bob.account, later).unwrap();
    forgetful.advance(&[manifest], &[], later).unwrap();
    let result = alice.receive_from(tablet.address(), &forgetful, &second);
    assert_eq!(result.unwrap_err(), DecryptError::UnknownSenderManifest);

    alice.account = stale;
    let ahead = bob.send(&mut Device { account: renewed_account(&alice), ..alice.clone() }, b"x");
    let result = alice.receive_from(bob.address(), &bob.account, &ahead);
    assert_eq!(result.unwrap_err(), DecryptError::UnknownOwnManifest);
}

fn renewed_account(device: &Device) -> plasma_identity::VerifiedAccount {
    let mut account = device.account.clone();
    let renewed = device.keys.renew(&account, NOW + 1).unwrap();
    account.advance(&[renewed], &[], NOW).unwrap();
    account
}

#[test]
fn own_devices_send_to_each_other() {
    let mut phone = Device::founder(1, 2);
    let mut tablet = Device::linked(&mut phone, 2, 2);
    let envelope = phone.send(&mut tablet, b"sync");
    assert_eq!(tablet.receive(&phone, &envelope).unwrap(), b"sync");
    let local = LocalDevice::new(&phone.keys, &phone.account).unwrap();
    let remote = RemoteDevice::new(&phone.account, phone.address().device).unwrap();
    let mut record = SessionRecord::new(phone.address(), phone.address());
    let bundle = phone.clone().bundle();
    let result = initiate(&mut record, &local, &remote, &bundle, &mut rng(9), NOW);
    assert_eq!(result, Err(InitiateError::WrongAddress));
}

#[test]
fn a_restored_snapshot_never_repeats_a_key_and_nonce() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let mut seen = std::collections::HashSet::new();
    alice.send(&mut bob, b"hello");
    let snapshot = alice.record(bob.address()).to_bytes();
    for _ in 0..50 {
        let record = SessionRecord::from_bytes(&snapshot).unwrap();
        alice.records.insert(bob.address(), record);
        assert!(seen.insert(commitment(&alice.send(&mut bob, b"same"))));
    }
}
