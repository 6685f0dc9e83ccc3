//! ML-KEM-768.

use ml_kem::kem::{Decapsulate, Encapsulate, KeyExport};
use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{KEM_KEY_LENGTH, SEED_LENGTH};
use crate::secret::Secret;

/// A key to encapsulate to.
pub(crate) struct KemKey(EncapsulationKey);

impl KemKey {
    /// Reads a key; `None` if its length or a coefficient is wrong.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        EncapsulationKey::new(bytes.try_into().ok()?).ok().map(Self)
    }

    pub(crate) fn encapsulate<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> (Ciphertext, Secret) {
        let (ciphertext, shared) = self.0.encapsulate_with_rng(rng);
        let shared = Zeroizing::new(<[u8; 32]>::from(shared));
        (ciphertext, Secret::new(*shared))
    }
}

/// Computes the public half of a seed.
pub(crate) fn encapsulation_key(seed: &[u8; SEED_LENGTH]) -> [u8; KEM_KEY_LENGTH] {
    decapsulation_key(seed).encapsulation_key().to_bytes().into()
}

/// Recovers what was encapsulated to the public half of a seed.
pub(crate) fn decapsulate(seed: &[u8; SEED_LENGTH], ciphertext: &Ciphertext) -> Secret {
    Secret::new(decapsulation_key(seed).decapsulate(ciphertext).into())
}

fn decapsulation_key(seed: &[u8; SEED_LENGTH]) -> DecapsulationKey {
    DecapsulationKey::from_seed((*seed).into())
}
