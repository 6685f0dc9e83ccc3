//! ML-KEM-768 keys: the private half as its seed, the public half as checked bytes.

use core::fmt;

use ml_kem::ml_kem_768::Ciphertext;
use plasma_identity::encoding::{DecodeError, Reader};
use plasma_identity::{KEM_KEY_LENGTH, check_kem_key};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::primitives::{self, SEED_LENGTH};
use crate::secret::Secret;

/// Length of a ciphertext.
pub(crate) const KEM_CIPHERTEXT_LENGTH: usize = 1088;

/// A private half: the seed `d ‖ z` of FIPS 203.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct KemSeed([u8; KemSeed::LENGTH]);

impl KemSeed {
    pub(crate) const LENGTH: usize = SEED_LENGTH;

    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Self([0; Self::LENGTH]);
        rng.fill_bytes(&mut seed.0);
        seed
    }

    /// Derives the public half.
    pub(crate) fn public(&self) -> KemKey {
        KemKey(Box::new(primitives::encapsulation_key(&self.0)))
    }

    /// Decapsulates. By ML-KEM's implicit rejection a wrong ciphertext gives a wrong secret.
    pub(crate) fn decapsulate(&self, ciphertext: &Ciphertext) -> Secret {
        primitives::decapsulate(&self.0, ciphertext)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array().map(Self)
    }
}

impl fmt::Debug for KemSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemSeed(..)")
    }
}

/// A public half that has passed FIPS 203's check of its length and its coefficients.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct KemKey(Box<[u8; KEM_KEY_LENGTH]>);

impl KemKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let key = reader.array()?;
        check_kem_key(&key)?;
        Ok(Self(Box::new(key)))
    }

    /// Encapsulates a fresh secret to the key.
    pub(crate) fn encapsulate<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> (Ciphertext, Secret) {
        primitives::encapsulate(&self.0, rng)
    }
}

impl fmt::Debug for KemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemKey({:02x?}..)", &self.0[..4])
    }
}
