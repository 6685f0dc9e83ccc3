//! Toys in the place of P-256 and ML-KEM-768, for tests only. **They protect nothing.**

use ml_kem::ml_kem_768::Ciphertext;
use plasma_identity::encoding::DecodeError;
use plasma_identity::{
    AgreementPublicKey, KEM_KEY_LENGTH, RootPublicKey, Signature, SigningPublicKey, toy,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{PRIVATE_LENGTH, SEED_LENGTH};
use crate::secret::Secret;

/// A private number with its public one.
#[derive(Clone, Copy)]
struct Pair {
    private: u64,
    public: u64,
}

impl Pair {
    fn new(private: u64) -> Self {
        Self { private, public: toy::public(private) }
    }

    fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        // Never zero, which would agree on one with everybody.
        Self::new(rng.next_u64() >> 4 | 1 << 59)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes.as_chunks::<8>() {
            ([private, _, _, _], []) => Ok(Self::new(u64::from_be_bytes(*private))),
            _ => Err(DecodeError::InvalidField("private key")),
        }
    }

    fn to_bytes(self) -> Zeroizing<[u8; PRIVATE_LENGTH]> {
        let mut bytes = Zeroizing::new([0; PRIVATE_LENGTH]);
        bytes[..8].copy_from_slice(&self.private.to_be_bytes());
        bytes
    }
}

/// A private key to agree with.
#[derive(Clone)]
pub(crate) struct PrivateAgreement(Pair);

impl PrivateAgreement {
    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(Pair::generate(rng))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        Pair::from_bytes(bytes).map(Self)
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; PRIVATE_LENGTH]> {
        self.0.to_bytes()
    }

    pub(crate) fn public(&self) -> AgreementPublicKey {
        point(self.0.public, AgreementPublicKey::from_bytes)
    }

    pub(crate) fn agree(&self, peer: &AgreementPublicKey) -> Secret {
        secret(toy::agree(self.0.private, toy::value(peer.as_bytes())))
    }
}

/// A private key to sign with.
#[derive(Clone)]
pub(crate) struct PrivateSigning(Pair);

impl PrivateSigning {
    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(Pair::generate(rng))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        Pair::from_bytes(bytes).map(Self)
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; PRIVATE_LENGTH]> {
        self.0.to_bytes()
    }

    pub(crate) fn public<P: From<PublicNumber>>(&self) -> P {
        PublicNumber(self.0.public).into()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        toy::sign(self.0.public, message)
    }
}

/// A public number that becomes a key of either kind.
pub(crate) struct PublicNumber(u64);

impl From<PublicNumber> for SigningPublicKey {
    fn from(number: PublicNumber) -> Self {
        point(number.0, Self::from_bytes)
    }
}

impl From<PublicNumber> for RootPublicKey {
    fn from(number: PublicNumber) -> Self {
        point(number.0, Self::from_bytes)
    }
}

fn point<K>(public: u64, read: fn(&[u8]) -> Result<K, DecodeError>) -> K {
    read(&toy::encode(public)).expect("a power of the generator is a public number")
}

fn secret(number: u64) -> Secret {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Secret::new(bytes)
}

/// Encapsulates to a key, each of whose first eight coefficients is a byte of its public number.
pub(crate) fn encapsulate<R: CryptoRng + ?Sized>(
    key: &[u8; KEM_KEY_LENGTH],
    rng: &mut R,
) -> (Ciphertext, Secret) {
    let bytes = key.chunks_exact(3).take(8).map(|triple| triple[0]);
    let number = bytes.fold(0, |number, byte| number << 8 | u64::from(byte));
    let ephemeral = Pair::generate(rng);
    let mut ciphertext = Ciphertext::default();
    ciphertext[..8].copy_from_slice(&ephemeral.public.to_be_bytes());
    (ciphertext, secret(toy::agree(ephemeral.private, number)))
}

/// Computes the public half of a seed.
pub(crate) fn encapsulation_key(seed: &[u8; SEED_LENGTH]) -> [u8; KEM_KEY_LENGTH] {
    let mut bytes = [0; KEM_KEY_LENGTH];
    let public = toy::public(private(seed)).to_be_bytes();
    for (triple, byte) in bytes.chunks_exact_mut(3).zip(public) {
        triple[0] = byte;
    }
    bytes
}

/// Recovers what was encapsulated to the public half of a seed.
pub(crate) fn decapsulate(seed: &[u8; SEED_LENGTH], ciphertext: &Ciphertext) -> Secret {
    let ephemeral = ciphertext[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    secret(toy::agree(private(seed), ephemeral))
}

fn private(seed: &[u8; SEED_LENGTH]) -> u64 {
    seed[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte)) >> 4 | 1 << 59
}
