//! Points and signatures on P-256.

use p256::PublicKey;
use p256::ecdsa::VerifyingKey;
use p256::ecdsa::signature::Verifier;
use p256::elliptic_curve::sec1::ToSec1Point;

use crate::encoding::DecodeError;
use crate::keys::{AgreementPublicKey, POINT_LENGTH, RootPublicKey, SigningPublicKey};
use crate::signature::{InvalidSignature, Signature};

/// A point with its encoding.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Point {
    bytes: [u8; POINT_LENGTH],
    key: PublicKey,
}

impl Point {
    /// Accepts an uncompressed point that is on the curve and not infinity.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let bytes: [u8; POINT_LENGTH] = bytes.try_into().map_err(|_| DecodeError::InvalidPoint)?;
        if bytes[0] != 0x04 {
            return Err(DecodeError::InvalidPoint);
        }
        let key = PublicKey::from_sec1_bytes(&bytes).map_err(|_| DecodeError::InvalidPoint)?;
        Ok(Self { bytes, key })
    }

    pub(crate) fn as_bytes(&self) -> &[u8; POINT_LENGTH] {
        &self.bytes
    }

    pub(crate) fn verify(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), InvalidSignature> {
        let signature = p256::ecdsa::Signature::from_slice(&signature.to_bytes())
            .map_err(|_| InvalidSignature)?;
        VerifyingKey::from(self.key).verify(message, &signature).map_err(|_| InvalidSignature)
    }
}

impl From<PublicKey> for Point {
    fn from(key: PublicKey) -> Self {
        let mut bytes = [0; POINT_LENGTH];
        bytes.copy_from_slice(key.to_sec1_point(false).as_bytes());
        Self { bytes, key }
    }
}

/// Accepts 64 bytes whose halves are both in the range 1 to n−1.
pub(crate) fn check_signature(bytes: &[u8; Signature::LENGTH]) -> Result<(), DecodeError> {
    p256::ecdsa::Signature::from_slice(bytes).map_err(|_| DecodeError::InvalidSignature).map(drop)
}

impl From<PublicKey> for RootPublicKey {
    fn from(key: PublicKey) -> Self {
        Self(key.into())
    }
}

impl From<PublicKey> for SigningPublicKey {
    fn from(key: PublicKey) -> Self {
        Self(key.into())
    }
}

impl From<PublicKey> for AgreementPublicKey {
    fn from(key: PublicKey) -> Self {
        Self(key.into())
    }
}

impl AgreementPublicKey {
    /// Borrows the point for an agreement.
    pub fn as_point(&self) -> &PublicKey {
        &self.0.key
    }
}

impl From<p256::ecdsa::Signature> for Signature {
    fn from(signature: p256::ecdsa::Signature) -> Self {
        Self(signature.to_bytes().into())
    }
}
