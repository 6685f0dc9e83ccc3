//! The ledger's history: postings, checkpoints, proofs.

use plasma_kit::convert;
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{TenantId, UserId};
use plasma_proof::{ChargeProof, ProofPart, SignedCheckpoint};
use plasma_proto::billing::v1 as pb;

use crate::domain::ledger::Account;
use crate::store::audit::AccountRow;

/// Writes a posting with what its account is.
pub(crate) fn ledger_posting(account: &AccountRow, minor_units: i64) -> pb::LedgerPosting {
    let owner = account.owner;
    let is = |other: Account| account.purpose == other.purpose();
    let (user, peer) = (UserId(owner), TenantId(owner));
    let of_user = is(Account::Wallet(user)) || is(Account::RecipientEarnings(user));
    let of_peer = is(Account::DueTo(peer)) || is(Account::DueFrom(peer));
    pb::LedgerPosting {
        // Stored under the contract's numbers.
        purpose: account.purpose.into(),
        user_id: if of_user { user.to_string() } else { String::new() },
        peer_tenant_id: if of_peer { peer.to_string() } else { String::new() },
        minor_units,
    }
}

/// The name of a kind of transaction in files, such as `access_charge`.
pub(crate) fn kind_name(kind: i16) -> String {
    let kind = pb::WalletEntryKind::try_from(i32::from(kind)).unwrap_or_default();
    kind.as_str_name().trim_start_matches("WALLET_ENTRY_KIND_").to_lowercase()
}

/// The name of an account's purpose in files, such as `platform_revenue`.
pub(crate) fn purpose_name(purpose: pb::AccountPurpose) -> String {
    purpose.as_str_name().trim_start_matches("ACCOUNT_PURPOSE_").to_lowercase()
}

/// Writes a checkpoint.
pub(crate) fn checkpoint(signed: &SignedCheckpoint) -> pb::LedgerCheckpoint {
    let SignedCheckpoint { checkpoint, signature } = signed;
    pb::LedgerCheckpoint {
        tenant_id: TenantId(checkpoint.tenant).to_string(),
        size: i64::try_from(checkpoint.size).unwrap_or(i64::MAX),
        root_hash: checkpoint.root.to_vec().into(),
        chain_hash: checkpoint.chain.to_vec().into(),
        sign_time: Some(convert::timestamp(Timestamp(checkpoint.time))),
        signature: signature.to_vec().into(),
    }
}

/// Writes a proof.
pub(crate) fn charge_proof(proof: ChargeProof) -> pb::GetChargeProofResponse {
    let part = |part| match part {
        ProofPart::Hidden(commitment) => pb::LedgerProofPart {
            commitment: commitment.to_vec().into(),
            ..pb::LedgerProofPart::default()
        },
        ProofPart::Shown { salt, content } => pb::LedgerProofPart {
            salt: salt.to_vec().into(),
            content: content.into(),
            ..pb::LedgerProofPart::default()
        },
    };
    pb::GetChargeProofResponse {
        number: i64::try_from(proof.number).unwrap_or(i64::MAX),
        path: proof.path.iter().map(|hash| hash.to_vec().into()).collect(),
        checkpoint: Some(checkpoint(&proof.checkpoint)),
        parts: proof.parts.into_iter().map(part).collect(),
    }
}
