//! A reported message: everybody can check it, and nobody can change it.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use plasma_e2ee::{DecryptError, Decrypted, Disclosure, envelope_hash, open_disclosed};
use plasma_identity::DecodeError;
use uuid::Uuid;

use crate::specification::{hkdf, input};
use crate::structures::padded;
use crate::world::Device;

struct Report {
    alice: Device,
    bob: Device,
    envelope: Vec<u8>,
    opened: Decrypted,
}

impl Report {
    fn read(&self, envelope: &[u8], disclosure: &Disclosure) -> Result<Vec<u8>, DecryptError> {
        let (sender, recipient) = (self.alice.address(), self.bob.address());
        open_disclosed(envelope, sender, recipient, disclosure).map(|content| content.to_vec())
    }
}

/// A message on a session that is in use, or its first one.
fn report(first: bool) -> Report {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let mut envelope = alice.send(&mut bob, b"an insult");
    if !first {
        bob.receive(&alice, &envelope).unwrap();
        let reply = bob.send(&mut alice, b"pardon?");
        alice.receive(&bob, &reply).unwrap();
        alice.send(&mut bob, b"under way");
        envelope = alice.send(&mut bob, b"an insult");
    }
    let opened = bob.receive_from(alice.address(), &alice.account, &envelope).unwrap();
    assert_eq!(envelope[0], if first { 0x11 } else { 0x10 });
    Report { alice, bob, envelope, opened }
}

#[test]
fn a_disclosed_message_is_read_by_anybody() {
    for first in [true, false] {
        let report = report(first);
        let bytes = report.opened.disclosure.to_bytes();
        let disclosure = Disclosure::from_bytes(&bytes).unwrap();
        assert_eq!(*disclosure.to_bytes(), *bytes);
        assert_eq!(report.read(&report.envelope, &disclosure).unwrap(), b"an insult");
        let (alice, bob) = (&report.alice.account.devices()[0], &report.bob.account.devices()[0]);
        assert_eq!(disclosure.sender_certificate(), alice.hash());
        assert_eq!(disclosure.recipient_certificate(), bob.hash());
    }
}

#[test]
fn a_message_that_arrived_late_is_disclosed_too() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let late = alice.send(&mut bob, b"late");
    let envelope = alice.send(&mut bob, b"in time");
    bob.receive(&alice, &envelope).unwrap();
    let opened = bob.receive_from(alice.address(), &alice.account, &late).unwrap();
    let read = open_disclosed(&late, alice.address(), bob.address(), &opened.disclosure);
    assert_eq!(*read.unwrap(), b"late");
}

#[test]
fn a_reporter_cannot_make_an_envelope_say_something_else() {
    for first in [true, false] {
        let report = report(first);
        let good = report.opened.disclosure.to_bytes();
        for position in 2..34 {
            let mut bytes = good.to_vec();
            bytes[position] ^= 1;
            let other = Disclosure::from_bytes(&bytes).unwrap();
            let result = report.read(&report.envelope, &other);
            assert_eq!(result, Err(DecryptError::BadCommitment));
        }
        for position in 34..98 {
            let mut bytes = good.to_vec();
            bytes[position] ^= 1;
            let other = Disclosure::from_bytes(&bytes).unwrap();
            assert_eq!(report.read(&report.envelope, &other), Err(DecryptError::BadMac));
        }
        // The disclosure of another message of the same sender.
        let (mut alice, mut bob) = (report.alice.clone(), report.bob.clone());
        let another = alice.send(&mut bob, b"a kindness");
        let another = bob.receive_from(alice.address(), &alice.account, &another).unwrap();
        let result = report.read(&report.envelope, &another.disclosure);
        assert_eq!(result, Err(DecryptError::BadCommitment));
    }
}

#[test]
fn a_changed_envelope_is_refused() {
    for first in [true, false] {
        let report = report(first);
        let header = if first { 1484 } else { 253 };
        for position in 0..report.envelope.len() {
            let mut changed = report.envelope.clone();
            changed[position] ^= 1 << (position % 8);
            let error = report.read(&changed, &report.opened.disclosure).unwrap_err();
            // Session id and salt derive the key; the commitment stands between header and text.
            let expected = match position {
                4..68 => Some(DecryptError::WrongAddress),
                68..84 | 237..253 => Some(DecryptError::BadCommitment),
                _ if position >= header + 32 => Some(DecryptError::BadMac),
                _ if position >= header => Some(DecryptError::BadCommitment),
                _ => None,
            };
            assert!(expected.is_none_or(|expected| expected == error), "byte {position}: {error}");
        }
        for length in 0..report.envelope.len() {
            report.read(&report.envelope[..length], &report.opened.disclosure).unwrap_err();
        }
        let longer = [&report.envelope[..], &[0]].concat();
        let error = report.read(&longer, &report.opened.disclosure).unwrap_err();
        assert_eq!(error, DecryptError::BadMac);
    }
}

#[test]
fn an_envelope_is_disclosed_for_the_two_devices_that_it_names() {
    let report = report(false);
    let (alice, bob) = (report.alice.address(), report.bob.address());
    let read = |sender, recipient| {
        open_disclosed(&report.envelope, sender, recipient, &report.opened.disclosure).map(drop)
    };
    assert_eq!(read(bob, alice), Err(DecryptError::WrongAddress));
    assert_eq!(read(bob, bob), Err(DecryptError::WrongAddress));
    let tablet = bob.user_address().device(Uuid::from_u128(2));
    assert_eq!(read(alice, tablet), Err(DecryptError::WrongAddress));
    // The header names the recipient's device, the associated data also whose it is.
    let stranger = alice.user_address().device(bob.device);
    assert_eq!(read(alice, stranger), Err(DecryptError::BadMac));
}

#[test]
fn a_text_that_a_reporter_encrypts_itself_is_another_envelope() {
    // A reporter knows the message key, so it can make an envelope of its own. What it cannot make
    // is one with the hash of that which the service took from the sender.
    let report = report(false);
    let disclosure = report.opened.disclosure.to_bytes();
    let (header, salt) = (&report.envelope[..253], &report.envelope[237..253]);
    let session_id = &report.envelope[68..84];
    let derived = hkdf(salt, &disclosure[2..34], "Plasma/v1/message", session_id, 76);
    let parts = [
        header,
        &report.alice.address().to_bytes(),
        &report.bob.address().to_bytes(),
        &disclosure[34..66],
        &disclosure[66..98],
    ];
    let associated_data = input("Plasma/v1/associated-data", &parts);
    let nonce: [u8; 12] = derived[32..44].try_into().unwrap();
    let body = padded(b"a threat");
    let payload = Payload { msg: &body, aad: &associated_data };
    let cipher = Aes256Gcm::new_from_slice(&derived[..32]).unwrap();
    let ciphertext = cipher.encrypt(&nonce.into(), payload).unwrap();
    let forged = [header, &derived[44..], &ciphertext].concat();
    assert_eq!(report.read(&forged, &report.opened.disclosure).unwrap(), b"a threat");
    assert_eq!(forged[..285], report.envelope[..285]);
    assert_ne!(envelope_hash(&forged), envelope_hash(&report.envelope));
}

#[test]
fn a_disclosure_is_silent_and_has_one_encoding() {
    let report = report(true);
    assert_eq!(format!("{:?}", report.opened.disclosure), "Disclosure(..)");
    let bytes = report.opened.disclosure.to_bytes();
    for length in 0..bytes.len() {
        assert!(Disclosure::from_bytes(&bytes[..length]).is_err());
    }
    let read = |bytes: &[u8]| Disclosure::from_bytes(bytes).map(drop).unwrap_err();
    assert_eq!(read(&[&bytes[..], &[0]].concat()), DecodeError::TrailingBytes);
    assert_eq!(read(&[&[0x13, 2], &bytes[2..]].concat()), DecodeError::UnsupportedVersion(2));
    assert_eq!(read(&[&[0x12, 1], &bytes[2..]].concat()), DecodeError::WrongType);
}
