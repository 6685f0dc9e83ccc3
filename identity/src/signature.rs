//! ECDSA signatures over P-256 with SHA-256, raw P1363 form.

use core::fmt;

use crate::encoding::DecodeError;

/// A raw `r ‖ s` signature of 64 bytes.
///
/// ECDSA is malleable and implementations emit either s: signatures are never compared or used to
/// recognise repeats, hence no `Eq`.
#[derive(Clone, Copy)]
pub struct Signature([u8; Self::LENGTH]);

/// The signature is not one of this key over these bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct InvalidSignature;

/// Signs with a private key that this crate never sees.
pub trait Signer {
    /// Signs `message` (not yet hashed) with ECDSA, P-256 and SHA-256.
    fn sign(&self, message: &[u8]) -> Signature;
}

impl Signature {
    /// Length of the raw form.
    pub const LENGTH: usize = 64;

    /// Accepts 64 bytes whose halves are both in the range 1 to n−1.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Result<Self, DecodeError> {
        p256::ecdsa::Signature::from_slice(&bytes).map_err(|_| DecodeError::InvalidSignature)?;
        Ok(Self(bytes))
    }

    /// Returns `r ‖ s`.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        self.0
    }

    pub(crate) fn to_ecdsa(self) -> Result<p256::ecdsa::Signature, InvalidSignature> {
        p256::ecdsa::Signature::from_slice(&self.0).map_err(|_| InvalidSignature)
    }
}

impl From<p256::ecdsa::Signature> for Signature {
    fn from(signature: p256::ecdsa::Signature) -> Self {
        Self(signature.to_bytes().into())
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}
