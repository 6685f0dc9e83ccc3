//! Checkpoints: what the service states, signed, of the first entries of a tenant's ledger.
//!
//! ```text
//! checkpoint = "plasma/ledger-checkpoint/v1" ‖ tenant (16) ‖ size (u64) ‖ root (32) ‖ chain (32)
//!              ‖ time (i64)
//! signature  = ECDSA, P-256 and SHA-256, raw r ‖ s, over the checkpoint
//! ```

use std::fmt;

use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Hash;

/// What is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The tenant.
    pub tenant: Uuid,
    /// How many entries it covers.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// The chain after the last of them.
    pub chain: Hash,
    /// When it was stated, in microseconds since 1970.
    pub time: i64,
}

impl Checkpoint {
    /// The bytes that are signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = b"plasma/ledger-checkpoint/v1".to_vec();
        bytes.extend(self.tenant.as_bytes());
        bytes.extend(self.size.to_be_bytes());
        bytes.extend(self.root);
        bytes.extend(self.chain);
        bytes.extend(self.time.to_be_bytes());
        bytes
    }
}

/// A checkpoint with its signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What is stated.
    pub checkpoint: Checkpoint,
    /// The raw `r ‖ s`.
    pub signature: [u8; 64],
}

/// A public key that checkpoints are signed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CheckpointKey(VerifyingKey);

/// The bytes are no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key is no point of P-256")]
pub struct KeyError;

/// No key that is trusted has signed the checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint is signed by no key that is trusted")]
pub struct Unsigned;

impl CheckpointKey {
    /// Takes an uncompressed point: 65 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() != 65 {
            return Err(KeyError);
        }
        VerifyingKey::from_sec1_bytes(bytes).map(Self).map_err(|_| KeyError)
    }

    /// The uncompressed point: 65 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_sec1_point(false).as_bytes().to_vec()
    }

    /// A short name of the key: the first 8 bytes of its SHA-256, in hexadecimal.
    pub fn id(&self) -> String {
        use fmt::Write;
        let digest = Sha256::digest(self.to_bytes());
        digest[..8].iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Debug for CheckpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointKey({})", self.id())
    }
}

impl From<VerifyingKey> for CheckpointKey {
    fn from(key: VerifyingKey) -> Self {
        Self(key)
    }
}

impl SignedCheckpoint {
    /// Checks the signature against the keys that the caller trusts.
    pub fn verify(&self, trusted: &[CheckpointKey]) -> Result<(), Unsigned> {
        let signature = Signature::from_slice(&self.signature).map_err(|_| Unsigned)?;
        let bytes = self.checkpoint.to_bytes();
        let signed = trusted.iter().any(|key| key.0.verify(&bytes, &signature).is_ok());
        if signed { Ok(()) } else { Err(Unsigned) }
    }
}
