//! Hashes of parts, entries and the chain.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The chain before a tenant's first entry.
pub const NO_CHAIN: Hash = [0; 32];

/// Hashes a part with its salt.
pub fn commitment(salt: &[u8; 32], part: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"plasma/ledger-part/v1");
    hash.update(salt);
    hash.update(part);
    hash.finalize().into()
}

/// Hashes the commitments of a transaction: the header's, then the postings'.
pub fn entry(commitments: &[Hash]) -> Hash {
    let count = u16::try_from(commitments.len()).unwrap_or(u16::MAX);
    let mut hash = Sha256::new();
    hash.update(b"plasma/ledger-entry/v1");
    hash.update(count.to_be_bytes());
    for commitment in commitments {
        hash.update(commitment);
    }
    hash.finalize().into()
}

/// Links the entry of a number, from 1, to the chain before it.
pub fn chain(tenant: Uuid, number: u64, before: &Hash, entry: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"plasma/ledger-chain/v1");
    hash.update(tenant.as_bytes());
    hash.update(number.to_be_bytes());
    hash.update(before);
    hash.update(entry);
    hash.finalize().into()
}
