//! What proves a tenant's ledger: the bytes that are hashed, the tree and the chain over them, the
//! checkpoints that the service signs, and the check of one charge that anyone can make.
//!
//! Owns no key, clock, randomness or I/O. The service and whoever checks it link the same code.
//!
//! # The structure
//!
//! A transaction is an **entry**: one [part](Part) for its header and one for each posting, in the
//! order of their lines. A part is hashed with a salt that only the service can make, so that who
//! is shown one part learns nothing of the others:
//!
//! ```text
//! commitment = SHA-256("plasma/ledger-part/v1"  ‖ salt (32) ‖ part)
//! entry      = SHA-256("plasma/ledger-entry/v1" ‖ number of parts (u16) ‖ commitments)
//! ```
//!
//! Entries of a tenant are numbered from 1 in the order in which they were folded. They are the
//! leaves of a Merkle tree as RFC 6962 hashes it, and the links of a chain:
//!
//! ```text
//! leaf  = SHA-256(0x00 ‖ entry)          node = SHA-256(0x01 ‖ left ‖ right)
//! chain = SHA-256("plasma/ledger-chain/v1" ‖ tenant (16) ‖ number (u64) ‖ chain before ‖ entry)
//! ```
//!
//! The chain before the first entry is 32 bytes of 0. A [checkpoint](Checkpoint) is the signed
//! statement of both over the first `size` entries. All numbers are big-endian.

mod account;
mod charge;
mod checkpoint;
mod entry;
mod part;
pub mod tree;

pub use account::account_id;
pub use charge::{ChargeProof, ProofError, ProofPart, ProvedCharge, ProvedPosting};
pub use checkpoint::{Checkpoint, CheckpointKey, KeyError, SignedCheckpoint, Unsigned};
pub use entry::{Hash, NO_CHAIN, chain, commitment, entry};
pub use part::{Header, Part, PartError, Posting, Standing};
