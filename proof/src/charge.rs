//! The proof of one transaction, such as a charge: what is shown of it, and the way to a checkpoint.

use uuid::Uuid;

use crate::account::{WALLET, account_id};
use crate::checkpoint::{CheckpointKey, SignedCheckpoint, Unsigned};
use crate::part::{Header, Part, PartError, Standing};
use crate::{Hash, commitment, entry, tree};

/// A part as a proof carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofPart {
    /// Someone else's: its commitment alone.
    Hidden(Hash),
    /// The caller's: its bytes and their salt.
    Shown {
        /// The salt.
        salt: [u8; 32],
        /// The part's bytes.
        content: Vec<u8>,
    },
}

/// What proves that a transaction is in a tenant's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeProof {
    /// The header, which is always shown, and the postings in the order of their lines.
    pub parts: Vec<ProofPart>,
    /// The number of the entry, from 1.
    pub number: u64,
    /// The hashes from the leaf to the root.
    pub path: Vec<Hash>,
    /// What the service states.
    pub checkpoint: SignedCheckpoint,
}

/// A posting that a proof shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedPosting {
    /// The account.
    pub account: Uuid,
    /// ISO 4217 code.
    pub currency: String,
    /// Signed minor units.
    pub minor_units: i64,
    /// What the wallet held after it; on wallets only.
    pub standing: Option<Standing>,
}

impl ProvedPosting {
    /// Whether the posting is on a user's wallet in a tenant's books.
    pub fn is_on_wallet_of(&self, tenant: Uuid, user: Uuid) -> bool {
        self.account == account_id(tenant, WALLET, user, &self.currency)
    }
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvedCharge {
    /// What the transaction says of itself.
    pub header: Header,
    /// The postings that are shown.
    pub postings: Vec<ProvedPosting>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No key that is trusted has signed the checkpoint.
    #[error(transparent)]
    Unsigned(#[from] Unsigned),
    /// A part that is shown does not read.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The first part is not a header, or a later one is not the posting of its place.
    #[error("the parts are not a header and its postings")]
    Order,
    /// The header is of another tenant than the checkpoint.
    #[error("the transaction is of another tenant than the checkpoint")]
    OtherTenant,
    /// The entry and its path do not lead to the root of the checkpoint.
    #[error("the transaction is not in the ledger that the checkpoint states")]
    NotInLedger,
}

impl ChargeProof {
    /// Checks the proof against the keys that the caller trusts, and gives what it proves.
    pub fn verify(&self, trusted: &[CheckpointKey]) -> Result<ProvedCharge, ProofError> {
        self.checkpoint.verify(trusted)?;
        let checkpoint = &self.checkpoint.checkpoint;
        let commitments: Vec<Hash> = self.parts.iter().map(ProofPart::commitment).collect();
        let index = self.number.checked_sub(1).ok_or(ProofError::NotInLedger)?;
        let leaf = tree::leaf(&entry(&commitments));
        if tree::root_of(leaf, index, checkpoint.size, &self.path) != Some(checkpoint.root) {
            return Err(ProofError::NotInLedger);
        }
        let proved = self.read()?;
        if proved.header.tenant != checkpoint.tenant {
            return Err(ProofError::OtherTenant);
        }
        Ok(proved)
    }

    fn read(&self) -> Result<ProvedCharge, ProofError> {
        let Some((ProofPart::Shown { content, .. }, postings)) = self.parts.split_first() else {
            return Err(ProofError::Order);
        };
        let Part::Header(header) = Part::from_bytes(content)? else {
            return Err(ProofError::Order);
        };
        let mut shown = Vec::new();
        for (line, part) in (1_i16..).zip(postings) {
            let ProofPart::Shown { content, .. } = part else { continue };
            let Part::Posting(posting) = Part::from_bytes(content)? else {
                return Err(ProofError::Order);
            };
            if posting.line != line {
                return Err(ProofError::Order);
            }
            shown.push(ProvedPosting {
                account: posting.account,
                currency: posting.currency,
                minor_units: posting.minor_units,
                standing: posting.standing,
            });
        }
        Ok(ProvedCharge { header, postings: shown })
    }
}

impl ProofPart {
    /// The part's commitment.
    pub fn commitment(&self) -> Hash {
        match self {
            Self::Hidden(commitment) => *commitment,
            Self::Shown { salt, content } => commitment(salt, content),
        }
    }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::Signer;
    use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
    use uuid::Uuid;

    use super::{ChargeProof, ProofError, ProofPart};
    use crate::part::{Header, Posting, Standing};
    use crate::tree::{self, Frontier};
    use crate::{
        Checkpoint, CheckpointKey, NO_CHAIN, SignedCheckpoint, Unsigned, account_id, entry,
    };

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_slice(&[seed; 32]).unwrap()
    }

    fn trusted(seed: u8) -> [CheckpointKey; 1] {
        [CheckpointKey::from(*key(seed).verifying_key())]
    }

    /// The second of two transactions; a wallet's posting is shown and another is hidden.
    fn proof() -> ChargeProof {
        let tenant = Uuid::from_u128(1);
        let header = Header {
            tenant,
            transaction: Uuid::from_u128(2),
            kind: 3,
            reverses: None,
            created_at: 5,
            external_id: "chat_1/1".to_owned(),
            reference: "charge_1".to_owned(),
        };
        let posting = Posting {
            line: 1,
            account: account_id(tenant, 1, Uuid::from_u128(3), "EUR"),
            currency: "EUR".to_owned(),
            minor_units: -500,
            standing: Some(Standing { balance: 0, version: 2 }),
            created_at: 5,
        };
        let shown = |content| ProofPart::Shown { salt: [9; 32], content };
        let parts =
            vec![shown(header.to_bytes()), shown(posting.to_bytes()), ProofPart::Hidden([4; 32])];
        let commitments: Vec<_> = parts.iter().map(ProofPart::commitment).collect();
        let mut frontier = Frontier::default();
        let first = tree::leaf(&[7; 32]);
        frontier.append(first, |_, _| {});
        frontier.append(tree::leaf(&entry(&commitments)), |_, _| {});
        let checkpoint =
            Checkpoint { tenant, size: 2, root: frontier.root(), chain: NO_CHAIN, time: 6 };
        let signature: Signature = key(1).sign(&checkpoint.to_bytes());
        let checkpoint = SignedCheckpoint { checkpoint, signature: signature.to_bytes().into() };
        ChargeProof { parts, number: 2, path: vec![first], checkpoint }
    }

    #[test]
    fn a_proof_shows_what_is_the_callers_and_nothing_else() {
        let proved = proof().verify(&trusted(1)).unwrap();
        assert_eq!(proved.header.reference, "charge_1");
        let [posting] = proved.postings.as_slice() else { panic!("one is shown") };
        assert_eq!((posting.minor_units, posting.currency.as_str()), (-500, "EUR"));
        assert!(posting.is_on_wallet_of(Uuid::from_u128(1), Uuid::from_u128(3)));
        assert!(!posting.is_on_wallet_of(Uuid::from_u128(1), Uuid::from_u128(4)));
    }

    #[test]
    fn a_proof_that_was_changed_anywhere_proves_nothing() {
        let good = proof();
        let keys = trusted(1);
        assert_eq!(good.verify(&trusted(2)), Err(Unsigned.into()));
        assert_eq!(good.verify(&[]), Err(Unsigned.into()));
        let changed = |change: fn(&mut ChargeProof)| {
            let mut proof = good.clone();
            change(&mut proof);
            proof.verify(&keys).unwrap_err()
        };
        assert_eq!(changed(|proof| proof.number = 1), ProofError::NotInLedger);
        assert_eq!(changed(|proof| proof.number = 0), ProofError::NotInLedger);
        assert_eq!(changed(|proof| proof.path.clear()), ProofError::NotInLedger);
        assert_eq!(changed(|proof| proof.path[0][0] ^= 1), ProofError::NotInLedger);
        assert_eq!(changed(|proof| proof.parts.swap(1, 2)), ProofError::NotInLedger);
        assert_eq!(changed(|proof| drop(proof.parts.pop())), ProofError::NotInLedger);
        assert_eq!(changed(|proof| proof.parts.clear()), ProofError::NotInLedger);
        let amount = |proof: &mut ChargeProof| {
            let ProofPart::Shown { content, .. } = &mut proof.parts[1] else { panic!("shown") };
            content[30] ^= 1;
        };
        assert_eq!(changed(amount), ProofError::NotInLedger);
        let hidden = |proof: &mut ChargeProof| {
            proof.parts[0] = ProofPart::Hidden(proof.parts[0].commitment());
        };
        assert_eq!(changed(hidden), ProofError::Order);
        for size in [1, 3] {
            let mut proof = good.clone();
            proof.checkpoint.checkpoint.size = size;
            assert_eq!(proof.verify(&keys), Err(Unsigned.into()));
        }
    }

    #[test]
    fn keys_read_back_and_what_is_no_point_is_refused() {
        let key = CheckpointKey::from(VerifyingKey::from(&key(1)));
        assert_eq!(CheckpointKey::from_bytes(&key.to_bytes()), Ok(key));
        assert_eq!(key.id().len(), 16);
        assert!(CheckpointKey::from_bytes(&[4; 65]).is_err());
        assert!(CheckpointKey::from_bytes(&key.to_bytes()[1..]).is_err());
        let good = SignedCheckpoint { ..proof().checkpoint };
        assert_eq!(good.verify(&[key]), Ok(()));
    }
}
