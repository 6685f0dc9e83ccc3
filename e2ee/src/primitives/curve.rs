//! Private keys on P-256, to agree and to sign.

use p256::SecretKey;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::elliptic_curve::Generate;
use plasma_identity::encoding::DecodeError;
use plasma_identity::{AgreementPublicKey, Signature};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::PRIVATE_LENGTH;
use crate::secret::Secret;

/// A private key to agree with.
#[derive(Clone)]
pub(crate) struct PrivateAgreement(SecretKey);

impl PrivateAgreement {
    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(SecretKey::generate_from_rng(rng))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        SecretKey::from_slice(bytes).map(Self).map_err(|_| DecodeError::InvalidField("private key"))
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; PRIVATE_LENGTH]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    pub(crate) fn public(&self) -> AgreementPublicKey {
        self.0.public_key().into()
    }

    /// Computes the x coordinate of the shared point.
    pub(crate) fn agree(&self, peer: &AgreementPublicKey) -> Secret {
        let shared = self.0.diffie_hellman(peer.as_point());
        Secret::new((*shared.raw_secret_bytes()).into())
    }
}

/// A private key to sign with.
#[derive(Clone)]
pub(crate) struct PrivateSigning(SigningKey);

impl PrivateSigning {
    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(SigningKey::generate_from_rng(rng))
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        SigningKey::from_slice(bytes)
            .map(Self)
            .map_err(|_| DecodeError::InvalidField("private key"))
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; PRIVATE_LENGTH]> {
        Zeroizing::new(self.0.to_bytes().into())
    }

    /// Returns the public half, as the signing or the root key that it is.
    pub(crate) fn public<P: From<p256::PublicKey>>(&self) -> P {
        p256::PublicKey::from(self.0.verifying_key()).into()
    }

    /// Signs `message` (not yet hashed) with ECDSA and SHA-256.
    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        signature.into()
    }
}
