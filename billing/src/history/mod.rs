//! The history of each tenant's ledger: folded in the background into a chain and a tree, proved
//! one charge at a time, and verified as a whole.
//!
//! A transaction leaves a row in `ledger_unfolded` when it commits. The folder takes such rows, one
//! node at a time for a tenant, numbers them, links them and deletes the rows. Nothing is selected
//! by a growing number, so that a transaction that commits late is folded late and never passed
//! over. The bytes that are hashed are those of [`plasma_proof`].

mod fold;
mod prove;
mod seal;
pub mod verify;

use plasma_kit::secrets::Secrets;
use plasma_proof::CheckpointKey;

pub(crate) use prove::prove;
pub(crate) use seal::Seals;

/// The public keys that checkpoints are signed with, newest first.
pub fn public_keys(secrets: &Secrets) -> Vec<CheckpointKey> {
    Seals::derive(secrets).public()
}
