//! Toys in the place of P-256, for tests only. **They protect nothing.**
//!
//! Agreement is Diffie-Hellman modulo the prime 2⁶¹−1, and a signature is a keyed sum that anyone
//! can compute from the public key. Keys and signatures have the lengths of the real ones.

use crate::encoding::DecodeError;
use crate::keys::POINT_LENGTH;
use crate::signature::{InvalidSignature, Signature};

const PRIME: u64 = (1 << 61) - 1;
const GENERATOR: u64 = 37;
const VALUE: core::ops::Range<usize> = 1..9;

/// A number modulo the prime, written like a point.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Point([u8; POINT_LENGTH]);

impl Point {
    /// Accepts the encoding of a number from 1 to the prime less one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bytes: [u8; POINT_LENGTH] = bytes.try_into().map_err(|_| DecodeError::InvalidPoint)?;
        let number = value(&bytes);
        if (1..PRIME).contains(&number) && bytes == encode(number) {
            Ok(Self(bytes))
        } else {
            Err(DecodeError::InvalidPoint)
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8; POINT_LENGTH] {
        &self.0
    }

    pub(crate) fn verify(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), InvalidSignature> {
        let expected = sign(value(&self.0), message);
        if signature.to_bytes() == expected.to_bytes() { Ok(()) } else { Err(InvalidSignature) }
    }
}

/// Accepts 64 bytes whose halves are not zero.
pub(crate) fn check_signature(bytes: &[u8; Signature::LENGTH]) -> Result<(), DecodeError> {
    let (halves, _) = bytes.as_chunks::<32>();
    let zero = halves.iter().any(|half| *half == [0; 32]);
    if zero { Err(DecodeError::InvalidSignature) } else { Ok(()) }
}

/// Raises the generator: the public number of a private one.
pub fn public(private: u64) -> u64 {
    agree(private, GENERATOR)
}

/// Raises a public number by a private one.
pub fn agree(private: u64, public: u64) -> u64 {
    let (mut power, mut square, mut exponent) = (1, public % PRIME, private);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = multiply(power, square);
        }
        square = multiply(square, square);
        exponent >>= 1;
    }
    power
}

fn multiply(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let low = u64::try_from(product & u128::from(PRIME)).unwrap_or(0);
    let sum = low + u64::try_from(product >> 61).unwrap_or(0);
    if sum >= PRIME { sum - PRIME } else { sum }
}

/// Writes a public number like a point.
pub fn encode(public: u64) -> [u8; POINT_LENGTH] {
    let mut bytes = [0; POINT_LENGTH];
    bytes[0] = 0x04;
    bytes[VALUE].copy_from_slice(&public.to_be_bytes());
    bytes
}

/// Reads what [`encode`] wrote.
pub fn value(bytes: &[u8; POINT_LENGTH]) -> u64 {
    bytes[VALUE].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Signs with the key whose public number is given.
pub fn sign(public: u64, message: &[u8]) -> Signature {
    let (words, rest) = message.as_chunks::<8>();
    let mut tail = [0x80; 8];
    tail[..rest.len()].copy_from_slice(rest);
    let sum = words.iter().chain([&tail]).fold(public, |sum, word| {
        let mixed = (sum ^ u64::from_be_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ mixed >> 29
    });
    let mut bytes = [0; Signature::LENGTH];
    for half in [0, 32] {
        bytes[half] = 1;
        bytes[half + 24..half + 32].copy_from_slice(&sum.to_be_bytes());
    }
    Signature(bytes)
}
