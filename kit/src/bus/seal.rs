//! How nodes know each other's frames: each carries the time and a keyed hash (HMAC-SHA-256) over
//! channel, time and payload, under a key that only who has the master keys can derive. Redis is
//! not trusted with the truth: whoever can publish there is nobody.
//!
//! The newest master key signs and every one of the ring verifies. While a new key is brought to
//! the nodes one by one, those that do not have it yet drop what is signed with it; then the store
//! delivers, as with a bus that is down.
//!
//! Frames are not secret: whoever reaches Redis reads the ids in them.
//!
//! **A replay** within [`WINDOW`] is taken, on its own channel only, and does no harm: an envelope
//! is offered again to the device that has it already, which knows it by its message; an
//! acknowledgement or a refusal names an envelope that is gone or was stored; a hint makes a stream
//! look at the store; a takeover has the number of a stream that is there or was followed by a
//! newer one; an event makes caches look again, and ends streams that open again where the database
//! allows it. It costs work, and no more than the database then answers. What is older is dropped.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use crate::env::{Env, Timestamp, micros};
use crate::secrets::{KeyedHasher, Secrets};

/// How far the clocks of two nodes may be apart, delay included. They follow the database's; a node
/// that is further off is one whose frames are dropped, and the store delivers.
pub(super) const WINDOW: Duration = Duration::from_mins(1);

/// What the keys are for.
const LABEL: &str = "bus-frames";
const TIME_BYTES: usize = 8;
const HASH_BYTES: usize = 32;

/// Signs and verifies frames.
#[derive(Debug, Clone)]
pub(super) struct Seal {
    env: Env,
    /// Newest first.
    keys: Vec<KeyedHasher>,
}

/// Why a frame is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsealed {
    /// Not signed with a key of the ring, or changed, or meant for another channel.
    #[error("not from a node with these master keys")]
    Forged,
    /// Signed at another time.
    #[error("signed more than a minute away from this node's time")]
    OutOfTime,
}

impl Seal {
    pub(super) fn new(env: Env, secrets: &Secrets) -> Self {
        Self { env, keys: secrets.keyed_hashers(LABEL) }
    }

    /// The frame that carries `payload` on `channel`: hash, time, payload.
    pub(super) fn seal(&self, channel: &str, payload: &[u8]) -> Bytes {
        let time = self.env.now().0.to_be_bytes();
        let newest = self.keys.first().expect("a ring has a key");
        let mut frame = BytesMut::with_capacity(HASH_BYTES + TIME_BYTES + payload.len());
        frame.put_slice(&newest.hash(&[channel.as_bytes(), &time, payload]));
        frame.put_slice(&time);
        frame.put_slice(payload);
        frame.freeze()
    }

    /// The payload of a frame that came on `channel`.
    pub(super) fn open(&self, channel: &str, frame: &Bytes) -> Result<Bytes, Unsealed> {
        let (hash, rest) = frame.split_first_chunk::<HASH_BYTES>().ok_or(Unsealed::Forged)?;
        let (time, payload) = rest.split_first_chunk::<TIME_BYTES>().ok_or(Unsealed::Forged)?;
        let parts: [&[u8]; 3] = [channel.as_bytes(), time, payload];
        if !self.keys.iter().any(|key| key.verifies(&parts, hash)) {
            return Err(Unsealed::Forged);
        }
        let (signed, now) = (Timestamp(i64::from_be_bytes(*time)), self.env.now());
        if signed.0.abs_diff(now.0) > micros(WINDOW).unsigned_abs() {
            return Err(Unsealed::OutOfTime);
        }
        Ok(frame.slice(HASH_BYTES + TIME_BYTES..))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Seal, Unsealed, WINDOW};
    use crate::env::Env;
    use crate::secrets::Secrets;

    fn seal(env: &Env, ring: &[u8]) -> Seal {
        let ring = ring.iter().map(|key| [*key; 32]).collect();
        Seal::new(env.clone(), &Secrets::new(ring).unwrap())
    }

    #[test]
    fn every_byte_of_a_frame_and_its_channel_are_held() {
        let seal = seal(&Env::system(), &[1]);
        for payload in [&b""[..], b"payload"] {
            let frame = seal.seal("channel", payload);
            assert_eq!(seal.open("channel", &frame).unwrap(), payload);
            assert_eq!(seal.open("channe", &frame), Err(Unsealed::Forged));
            for bit in 0..frame.len() * 8 {
                let mut flipped = frame.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(seal.open("channel", &flipped.into()), Err(Unsealed::Forged), "{bit}");
            }
            for length in 0..frame.len() {
                let cut = frame.slice(..length);
                assert_eq!(seal.open("channel", &cut), Err(Unsealed::Forged), "{length}");
            }
            let longer = Bytes::from([&frame, &b"x"[..]].concat());
            assert_eq!(seal.open("channel", &longer), Err(Unsealed::Forged));
        }
    }

    #[test]
    fn the_newest_key_signs_and_every_key_of_the_ring_verifies() {
        let env = Env::system();
        let (old, rotated, new) = (seal(&env, &[1]), seal(&env, &[2, 1]), seal(&env, &[2]));
        assert!(rotated.open("a", &old.seal("a", b"x")).is_ok());
        assert!(new.open("a", &rotated.seal("a", b"x")).is_ok());
        assert_eq!(old.open("a", &rotated.seal("a", b"x")), Err(Unsealed::Forged));
        assert_eq!(new.open("a", &old.seal("a", b"x")), Err(Unsealed::Forged));
    }

    #[test]
    fn a_frame_is_taken_for_a_minute() {
        let (sender, receiver) = (Env::system(), Env::system());
        let (sealing, opening) = (seal(&sender, &[1]), seal(&receiver, &[1]));
        let frame = sealing.seal("a", b"x");
        let sent = sender.now();
        // A second either way for this test to take its time in.
        let (inside, outside) = (WINDOW * 59 / 60, WINDOW * 61 / 60);
        for (moment, expected) in [
            (sent.plus(inside), Ok(Bytes::from_static(b"x"))),
            (sent.minus(inside), Ok(Bytes::from_static(b"x"))),
            (sent.plus(outside), Err(Unsealed::OutOfTime)),
            (sent.minus(outside), Err(Unsealed::OutOfTime)),
        ] {
            receiver.follow(moment);
            assert_eq!(opening.open("a", &frame), expected);
        }
    }
}
