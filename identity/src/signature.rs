//! ECDSA signatures over P-256 with SHA-256, raw P1363 form.

use core::fmt;

use crate::encoding::DecodeError;
use crate::primitives;

/// A raw `r ‖ s` signature of 64 bytes.
///
/// ECDSA is malleable and implementations emit either s: signatures are never compared or used to
/// recognise repeats, hence no `Eq`.
#[derive(Clone, Copy)]
pub struct Signature(pub(crate) [u8; Self::LENGTH]);

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
        primitives::check_signature(&bytes)?;
        Ok(Self(bytes))
    }

    /// Returns `r ‖ s`.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}
