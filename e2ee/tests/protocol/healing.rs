//! What a thief reads who has copied a device's whole state: nothing from before, what comes next,
//! and nothing again once the session has healed.

use std::convert::Infallible;

use chacha20::ChaCha20Rng;
use plasma_e2ee::rand_core::{Rng, TryCryptoRng, TryRng};
use plasma_e2ee::{PQ_STEP_SECONDS, SessionRecord};

use crate::specification::{hkdf, hmac};
use crate::world::{Device, header_length, rng};

/// How far the thief steps each chain key that it may have found.
const STEPS: usize = 3;

/// Tries every 32 bytes of a stored state as a message key and as a chain key.
fn finds_the_key(stored: &[u8], envelope: &[u8]) -> bool {
    let (header, sealed) = envelope.split_at(header_length(envelope));
    let opens = |message_key: &[u8]| {
        let (session_id, salt) = (&header[68..84], &header[237..253]);
        let derived = hkdf(salt, message_key, "Plasma/v1/message", session_id, 76);
        derived[44..] == sealed[..32]
    };
    stored.windows(32).any(|window| {
        let mut chain = window.to_vec();
        opens(window)
            || (0..STEPS).any(|_| {
                let message_key = hmac(&chain, 1);
                chain = hmac(&chain, 2);
                opens(&message_key)
            })
    })
}

#[test]
fn a_stolen_state_opens_nothing_from_before() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let mut past = Vec::new();
    for round in 0..4 {
        // The second round brings a post-quantum step, from either side.
        alice.now += if round == 1 { PQ_STEP_SECONDS } else { 0 };
        for _ in 0..2 {
            past.push(alice.send(&mut bob, b"there"));
            bob.receive(&alice, past.last().unwrap()).unwrap();
        }
        past.push(bob.send(&mut alice, b"back"));
        alice.receive(&bob, past.last().unwrap()).unwrap();
    }
    assert!(past.iter().any(|envelope| envelope[3] == 2), "no post-quantum step");
    let opening = alice.send(&mut bob, b"opens the chain");
    bob.receive(&alice, &opening).unwrap();
    past.push(opening);

    // The control: the state before a message has its key, and the one after it has not.
    let next = alice.send(&mut bob, b"next");
    let early = bob.record(alice.address()).to_bytes();
    assert!(finds_the_key(&early, &next), "the search finds no key at all");
    bob.receive(&alice, &next).unwrap();
    past.push(next);

    let stored = bob.record(alice.address()).to_bytes();
    let mut thief = bob.clone();
    thief.reload(alice.address());
    let mut forgetful = thief.clone();
    forgetful.records.clear();
    for (index, envelope) in past.iter().enumerate() {
        assert!(!finds_the_key(&stored, envelope), "message {index} is not forgotten");
        assert!(thief.receive(&alice, envelope).is_err());
        assert!(forgetful.receive(&alice, envelope).is_err(), "the handshake is not forgotten");
    }
}

/// A thief with every state that it could be in: it never knows which randomness is the real one.
struct Thief(Vec<Device>);

impl Thief {
    fn steal(device: &Device, peer: &Device) -> Self {
        let mut copy = device.clone();
        copy.reload(peer.address());
        copy.seed ^= 1 << 40;
        Self(vec![copy])
    }

    /// Tries an envelope in every state, and keeps the states from before.
    fn reads(&mut self, sender: &Device, envelope: &[u8]) -> bool {
        let mut after = self.0.clone();
        after.retain_mut(|state| state.receive(sender, envelope).is_ok());
        let reads = !after.is_empty();
        self.0.extend(after);
        reads
    }

    /// Lets the newest state send with randomness of its own, as the device may have done.
    fn turns(&mut self, peer: &mut Device) {
        let mut state = self.0.last().unwrap().clone();
        state.send(peer, b"a guess");
        self.0.push(state);
    }
}

#[test]
fn after_an_exchange_a_stolen_state_opens_nothing_new() {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    for _ in 0..2 {
        let there = alice.send(&mut bob, b"there");
        bob.receive(&alice, &there).unwrap();
        let back = bob.send(&mut alice, b"back");
        alice.receive(&bob, &back).unwrap();
    }
    let mut thief = Thief::steal(&bob, &alice);
    // The control: what comes next is read, whole chains of it.
    for _ in 0..3 {
        let next = alice.send(&mut bob, b"next");
        assert!(thief.reads(&alice, &next), "the thief has no usable copy");
        bob.receive(&alice, &next).unwrap();
    }
    for round in 0..6 {
        thief.turns(&mut alice.clone());
        let back = bob.send(&mut alice, b"back");
        alice.receive(&bob, &back).unwrap();
        for _ in 0..2 {
            let there = alice.send(&mut bob, b"there");
            assert!(!thief.reads(&alice, &there), "read in round {round}");
            assert_eq!(bob.receive(&alice, &there).unwrap(), b"there");
        }
    }
}

/// Randomness of which the thief knows the first 32 bytes, those of a new ratchet key.
struct Split {
    ratchet_key: ChaCha20Rng,
    rest: ChaCha20Rng,
    drawn: usize,
}

impl Split {
    fn new(number: u64, rest: u64) -> Self {
        Self { ratchet_key: rng(1_000_000 + number), rest: rng((rest << 32) + number), drawn: 0 }
    }
}

impl TryRng for Split {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let known = out.len().min(32_usize.saturating_sub(self.drawn));
        self.ratchet_key.fill_bytes(&mut out[..known]);
        self.rest.fill_bytes(&mut out[known..]);
        self.drawn += out.len();
        Ok(())
    }
}

impl TryCryptoRng for Split {}

fn carried_by(envelope: &[u8]) -> &[u8] {
    &envelope[253..header_length(envelope)]
}

/// Whatever the wire shows the thief puts into its copy: of a step it lacks only the secret.
fn take_over(thief: &mut Device, peer: &Device, own: &[u8], genuine: &[u8]) {
    let mut stored = thief.record(peer.address()).to_bytes().to_vec();
    if let Some(at) = stored.windows(own.len().max(1)).position(|window| window == own) {
        stored[at..at + own.len()].copy_from_slice(genuine);
    }
    thief.records.insert(peer.address(), SessionRecord::from_bytes(&stored).unwrap());
}

#[derive(Clone, Copy, PartialEq)]
enum Offers {
    Nobody,
    Alice,
    Bob,
}

const ROUNDS: u64 = 12;
const OFFERING_ROUND: u64 = 4;

/// Bob's state is stolen, and the thief learns the private half of every ratchet key that Bob
/// makes from then on. Returns which of Alice's messages it reads, one for each round, and what
/// Alice's and Bob's messages carried.
fn with_every_ratchet_key(offers: Offers, thiefs_rest: u64) -> (Vec<bool>, Vec<[u8; 2]>) {
    let (mut alice, mut bob) = (Device::founder(1, 1), Device::founder(2, 1));
    let hello = alice.send(&mut bob, b"hello");
    bob.receive(&alice, &hello).unwrap();
    let reply = bob.send(&mut alice, b"hi");
    alice.receive(&bob, &reply).unwrap();
    let mut thief = bob.clone();
    thief.reload(alice.address());
    let (mut reads, mut carried) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round == OFFERING_ROUND {
            alice.now += if offers == Offers::Alice { PQ_STEP_SECONDS } else { 0 };
            bob.now += if offers == Offers::Bob { PQ_STEP_SECONDS } else { 0 };
            thief.now = bob.now;
        }
        let there = alice.send(&mut bob, b"there");
        reads.push(thief.receive(&alice, &there).is_ok());
        assert_eq!(bob.receive(&alice, &there).unwrap(), b"there");
        let back = bob.send_with(&mut alice, b"back", &mut Split::new(round, 1));
        let mirrored =
            thief.send_with(&mut alice.clone(), b"back", &mut Split::new(round, thiefs_rest));
        if *reads.last().unwrap() {
            assert_eq!(mirrored[164..229], back[164..229], "the thief lacks the ratchet key");
            take_over(&mut thief, &alice, carried_by(&mirrored), carried_by(&back));
        }
        assert_eq!(alice.receive(&bob, &back).unwrap(), b"back");
        carried.push([there[3], back[3]]);
    }
    (reads, carried)
}

#[test]
fn without_a_post_quantum_step_whoever_breaks_ecdh_goes_on_reading() {
    let (reads, carried) = with_every_ratchet_key(Offers::Nobody, 2);
    assert!(carried.iter().flatten().all(|flags| *flags == 0));
    assert!(reads.iter().all(|read| *read), "{reads:?}");
}

#[test]
fn after_a_post_quantum_step_breaking_ecdh_reads_nothing() {
    for offers in [Offers::Alice, Offers::Bob] {
        let (reads, carried) = with_every_ratchet_key(offers, 2);
        let answered = carried.iter().flatten().filter(|flags| **flags == 2).count();
        assert_eq!(answered, 1, "{carried:?}");
        // Either way the message of the round after the offer is the first on the healed root.
        let healed = usize::try_from(OFFERING_ROUND).unwrap() + 1;
        assert!(reads[..healed].iter().all(|read| *read), "{reads:?}");
        assert!(reads[healed..].iter().all(|read| !read), "{reads:?}");

        // The control: it is ML-KEM's randomness alone that the thief lacks.
        let (reads, _) = with_every_ratchet_key(offers, 1);
        assert!(reads.iter().all(|read| *read), "{reads:?}");
    }
}
