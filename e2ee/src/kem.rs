//! ML-KEM-768 keys: the private half as its seed, the public half as checked bytes.

use core::fmt;

use ml_kem::kem::{Decapsulate, Encapsulate, KeyExport};
use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use plasma_identity::encoding::{DecodeError, Reader};
use plasma_identity::{KEM_KEY_LENGTH, check_kem_key};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::secret::Secret;

/// Length of a ciphertext.
pub(crate) const KEM_CIPHERTEXT_LENGTH: usize = 1088;

/// A private half: the seed `d ‖ z` of FIPS 203.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct KemSeed([u8; KemSeed::LENGTH]);

impl KemSeed {
    pub(crate) const LENGTH: usize = 64;

    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut seed = Self([0; Self::LENGTH]);
        rng.fill_bytes(&mut seed.0);
        seed
    }

    /// Derives the public half.
    pub(crate) fn public(&self) -> KemKey {
        let key = self.expand().encapsulation_key().to_bytes();
        let mut bytes = Box::new([0; KEM_KEY_LENGTH]);
        bytes.copy_from_slice(&key);
        KemKey(bytes)
    }

    /// Decapsulates. By ML-KEM's implicit rejection a wrong ciphertext gives a wrong secret.
    pub(crate) fn decapsulate(&self, ciphertext: &Ciphertext) -> Secret {
        let shared = Zeroizing::new(<[u8; 32]>::from(self.expand().decapsulate(ciphertext)));
        Secret::new(*shared)
    }

    fn expand(&self) -> DecapsulationKey {
        DecapsulationKey::from_seed(self.0.into())
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
        let key = EncapsulationKey::new(&(*self.0).into()).expect("the key has been checked");
        let (ciphertext, shared) = key.encapsulate_with_rng(rng);
        let shared = Zeroizing::new(<[u8; 32]>::from(shared));
        (ciphertext, Secret::new(*shared))
    }
}

impl fmt::Debug for KemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemKey({:02x?}..)", &self.0[..4])
    }
}
