//! Randomness: drawn from a seed and written down, or given by a file.

use core::convert::Infallible;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng, TryCryptoRng, TryRng};

/// A generator for the implementation.
pub enum Randomness {
    /// Draws from a seed and remembers every draw.
    Recording(Box<ChaCha20Rng>, Vec<Vec<u8>>),
    /// Draws what a file says was drawn, and nothing beyond.
    Given(Vec<u8>),
}

impl Randomness {
    /// Draws from a seed's first byte on: `ChaCha20` under 32 equal bytes.
    pub fn recording(seed: u8) -> Self {
        Self::Recording(Box::new(ChaCha20Rng::from_seed([seed; 32])), Vec::new())
    }

    /// Draws these bytes.
    pub fn given(draws: &[&[u8]]) -> Self {
        Self::Given(draws.concat())
    }

    /// Returns what was drawn since the last time, in order.
    pub fn take(&mut self) -> Vec<Vec<u8>> {
        match self {
            Self::Recording(_, draws) => core::mem::take(draws),
            Self::Given(rest) => panic!("{} given bytes are recorded already", rest.len()),
        }
    }

    /// Checks that everything that was given was drawn.
    pub fn finish(self) {
        if let Self::Given(rest) = self {
            assert!(rest.is_empty(), "{} bytes of the file were not drawn", rest.len());
        }
    }

    fn fill(&mut self, out: &mut [u8]) {
        match self {
            Self::Recording(source, draws) => {
                source.fill_bytes(out);
                draws.push(out.to_vec());
            }
            Self::Given(bytes) => {
                assert!(out.len() <= bytes.len(), "more is drawn than the file says");
                let rest = bytes.split_off(out.len());
                out.copy_from_slice(bytes);
                *bytes = rest;
            }
        }
    }
}

/// Turns a draw into the scalar of an agreement key, and back: the implementation's library draws
/// such a scalar with its last byte first. A file has the scalar in its usual order.
pub fn agreement_scalar(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.reverse();
    bytes
}

impl TryRng for Randomness {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut word = [0; 4];
        self.fill(&mut word);
        Ok(u32::from_le_bytes(word))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut word = [0; 8];
        self.fill(&mut word);
        Ok(u64::from_le_bytes(word))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        self.fill(out);
        Ok(())
    }
}

impl TryCryptoRng for Randomness {}
