//! What only the service can do to a ledger: salt its parts and sign its checkpoints.

use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use plasma_kit::secrets::{KeyedHasher, Secrets};
use plasma_proof::{Checkpoint, CheckpointKey, Hash, SignedCheckpoint, commitment, entry};
use sha2::{Digest, Sha256};

use crate::store::recorded::Recorded;

/// The keys of the ledger's history, derived from the master keys.
pub(crate) struct Seals {
    salts: KeyedHasher,
    /// Newest first: the newest signs, all verify.
    keys: Vec<SigningKey>,
}

impl Seals {
    pub(crate) fn derive(secrets: &Secrets) -> Self {
        let ring = secrets.derive_all("ledger-checkpoint");
        let keys = ring.iter().map(|seed| SigningKey::from(scalar(seed))).collect();
        Self { salts: secrets.keyed_hasher("ledger-salt"), keys }
    }

    /// The salt of a transaction's part: 0 is the header, a posting has its line.
    pub(crate) fn salt(&self, recorded: &Recorded, part: i16) -> [u8; 32] {
        let header = &recorded.header;
        let (tenant, transaction) = (header.tenant.as_bytes(), header.transaction.as_bytes());
        self.salts.hash(&[tenant, transaction, &part.to_be_bytes()])
    }

    /// The hash of a transaction as an entry of the history.
    pub(crate) fn entry(&self, recorded: &Recorded) -> Hash {
        let header = commitment(&self.salt(recorded, 0), &recorded.header.to_bytes());
        let postings = recorded
            .postings
            .iter()
            .map(|posting| commitment(&self.salt(recorded, posting.line), &posting.to_bytes()));
        entry(&std::iter::once(header).chain(postings).collect::<Vec<_>>())
    }

    /// Signs a checkpoint with the newest key.
    pub(crate) fn sign(&self, checkpoint: Checkpoint) -> SignedCheckpoint {
        let newest = self.keys.first().expect("a ring has a key");
        let signature: Signature = newest.sign(&checkpoint.to_bytes());
        SignedCheckpoint { checkpoint, signature: signature.to_bytes().into() }
    }

    /// The public keys, newest first.
    pub(crate) fn public(&self) -> Vec<CheckpointKey> {
        self.keys.iter().map(|key| CheckpointKey::from(*key.verifying_key())).collect()
    }
}

/// The private key of a seed. A seed of zero or above the group's order, one in 2^32, is hashed on.
fn scalar(seed: &[u8; 32]) -> SecretKey {
    let mut candidate = *seed;
    loop {
        if let Ok(key) = SecretKey::from_slice(&candidate) {
            return key;
        }
        candidate = Sha256::digest(candidate).into();
    }
}
