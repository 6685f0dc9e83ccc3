//! ML-KEM-768.

use ml_kem::kem::{Decapsulate, Encapsulate, KeyExport};
use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use plasma_identity::KEM_KEY_LENGTH;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::SEED_LENGTH;
use crate::secret::Secret;

/// Computes the public half of a seed.
pub(crate) fn encapsulation_key(seed: &[u8; SEED_LENGTH]) -> [u8; KEM_KEY_LENGTH] {
    decapsulation_key(seed).encapsulation_key().to_bytes().into()
}

/// Encapsulates a fresh secret to a key that has passed the check of its coefficients.
pub(crate) fn encapsulate<R: CryptoRng + ?Sized>(
    key: &[u8; KEM_KEY_LENGTH],
    rng: &mut R,
) -> (Ciphertext, Secret) {
    let key = EncapsulationKey::new(&(*key).into()).expect("the key has been checked");
    let (ciphertext, shared) = key.encapsulate_with_rng(rng);
    let shared = Zeroizing::new(<[u8; 32]>::from(shared));
    (ciphertext, Secret::new(*shared))
}

/// Recovers what was encapsulated to the public half of a seed.
pub(crate) fn decapsulate(seed: &[u8; SEED_LENGTH], ciphertext: &Ciphertext) -> Secret {
    let shared = Zeroizing::new(<[u8; 32]>::from(decapsulation_key(seed).decapsulate(ciphertext)));
    Secret::new(*shared)
}

fn decapsulation_key(seed: &[u8; SEED_LENGTH]) -> DecapsulationKey {
    DecapsulationKey::from_seed((*seed).into())
}
