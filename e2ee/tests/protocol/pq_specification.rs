//! A second reading of the post-quantum step in `docs/PROTOCOL.md`, on bare primitives.

use ml_kem::kem::{Decapsulate, KeyExport};
use ml_kem::ml_kem_768::DecapsulationKey;
use plasma_e2ee::DecryptError;

use crate::specification::{dh, hash, hkdf, hmac, open, read_account, seal};
use crate::world::{Device, NOW};

const SEVEN_DAYS: u64 = 604_800;

/// The message key of a number, and the chain keys that lead to it.
fn message_key(chain: &[u8], number: usize) -> Vec<u8> {
    hmac(&(0..number).fold(chain.to_vec(), |chain, _| hmac(&chain, 2)), 1)
}

fn padded(content: &[u8]) -> Vec<u8> {
    let mut padded = [content, &[0x80]].concat();
    padded.resize(128, 0);
    padded
}

#[test]
fn the_document_alone_reads_a_post_quantum_step() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let hello = alice.send(&mut bob, b"hello");
    bob.receive(&alice, &hello).unwrap();
    let reply = bob.send(&mut alice, b"hi");
    alice.receive(&bob, &reply).unwrap();
    alice.now = NOW + SEVEN_DAYS;
    let offer = alice.send(&mut bob, b"the key");
    let offer_again = alice.send(&mut bob, b"the key again");
    // Alice's stored session: root, ratchet key, sending chain, what it carries.
    let stored = alice.record(bob.address()).to_bytes();
    let (root, private) = (&stored[157..189], &stored[190..222]);
    assert_eq!(stored[222..287], offer[164..229]);
    assert_eq!((stored[189], stored[287], stored[328]), (1, 1, 1));
    let seed: [u8; 64] = stored[329..393].try_into().unwrap();
    bob.receive(&alice, &offer_again).unwrap();

    let (sender, receiver) = (read_account(&alice), read_account(&bob));
    let session_id = &offer[68..84];
    let decapsulation_key = DecapsulationKey::from_seed(seed.into());
    let ek = decapsulation_key.encapsulation_key().to_bytes();
    for envelope in [&offer, &offer_again] {
        assert_eq!(envelope[..4], [0x10, 1, 1, 0x01]);
        assert_eq!(envelope[253..1437], *ek);
    }
    // The chain that carries the key comes from an ordinary turn: Bob's answer to it begins with
    // the root that it left.
    let answers = [&b"a"[..], b"b"].map(|content| bob.send(&mut alice, content));
    let ct = &answers[0][253..1341];
    let shared = decapsulation_key.decapsulate_slice(ct).unwrap();
    let step = hash("Plasma/v1/pq-step", &[&ek, ct]);
    let agreements = [dh(private, &answers[0][164..229]), shared.to_vec()].concat();
    let context = [session_id, &step].concat();
    let turned = hkdf(root, &agreements, "Plasma/v1/pq-ratchet", &context, 64);
    for (number, envelope) in answers.iter().enumerate() {
        assert_eq!(envelope[..4], [0x10, 1, 1, 0x02]);
        assert_eq!(envelope[253..1341], *ct);
        let key = message_key(&turned[32..], number);
        let body = open(envelope, 1341, &key, &receiver, &sender);
        assert_eq!(body, padded(&[b"ab"[number]]));
    }

    // The next turn is an ordinary one again, on the root that the step left.
    alice.receive(&bob, &answers[1]).unwrap();
    let stored = alice.record(bob.address()).to_bytes();
    assert_eq!(stored[157..189], turned[..32]);
    let after = alice.send(&mut bob, b"after");
    assert_eq!(after[..4], [0x10, 1, 1, 0]);
    let stored = alice.record(bob.address()).to_bytes();
    let agreement = dh(&stored[190..222], &answers[0][164..229]);
    let ordinary = hkdf(&turned[..32], &agreement, "Plasma/v1/ratchet", session_id, 64);
    let body = open(&after, 253, &message_key(&ordinary[32..], 0), &sender, &receiver);
    assert_eq!(body, padded(b"after"));
}

#[test]
fn in_a_known_chain_what_the_header_carries_is_authenticated_and_has_no_other_effect() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let hello = alice.send(&mut bob, b"hello");
    bob.receive(&alice, &hello).unwrap();
    let reply = bob.send(&mut alice, b"hi");
    alice.receive(&bob, &reply).unwrap();
    alice.now = NOW + SEVEN_DAYS;
    let offer = alice.send(&mut bob, b"the key");
    let stored = alice.record(bob.address()).to_bytes();
    bob.receive(&alice, &offer).unwrap();
    // What only Alice herself can seal: the chain's second message, with a ciphertext in the place
    // of the key.
    let message_key = message_key(&stored[288..320], 0);
    let header =
        [&offer[..3], &[2], &offer[4..233], &[0, 0, 0, 1], &offer[237..253], &[9; 1088]].concat();
    let (sender, receiver) = (read_account(&alice), read_account(&bob));
    let odd = seal(&header, &message_key, &padded(b"odd"), &sender, &receiver);
    let mut changed = odd.clone();
    changed[400] ^= 1;
    assert_eq!(bob.receive(&alice, &changed), Err(DecryptError::BadMac));
    assert_eq!(bob.receive(&alice, &odd).unwrap(), b"odd");
    // Bob answers the key of the chain's first message to arrive.
    let answer = bob.send(&mut alice, b"answer");
    assert_eq!(answer[3], 2);
    assert_eq!(alice.receive(&bob, &answer).unwrap(), b"answer");
}
