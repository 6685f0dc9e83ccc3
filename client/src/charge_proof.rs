//! The check of a charge's proof: that what was paid is part of a history which the service has
//! signed. Trusts the service for nothing but the key that signs checkpoints.

use plasma_proof::{
    ChargeProof, Checkpoint, CheckpointKey, Hash, ProofError, ProofPart, ProvedCharge,
    SignedCheckpoint,
};
use plasma_proto::billing::v1 as pb;
use plasma_proto::id;
use uuid::Uuid;

/// Why an answer proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChargeProofError {
    /// The answer is not what the contract says.
    #[error("the service's answer has no valid {0}")]
    Malformed(&'static str),
    /// The proof does not verify.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The proof is of another charge.
    #[error("the proof is of another charge")]
    OtherCharge,
}

/// Checks the answer of `GetChargeProof` against the keys that the caller trusts, and gives what it
/// proves of the charge.
pub fn check_charge_proof(
    answer: &pb::GetChargeProofResponse,
    charge_id: &str,
    trusted: &[CheckpointKey],
) -> Result<ProvedCharge, ChargeProofError> {
    let proved = read(answer)?.verify(trusted)?;
    if proved.header.reference == charge_id {
        Ok(proved)
    } else {
        Err(ChargeProofError::OtherCharge)
    }
}

fn read(answer: &pb::GetChargeProofResponse) -> Result<ChargeProof, ChargeProofError> {
    let checkpoint = answer.checkpoint.as_ref().ok_or(ChargeProofError::Malformed("checkpoint"))?;
    Ok(ChargeProof {
        parts: answer.parts.iter().map(part).collect::<Result<_, _>>()?,
        number: count(answer.number)?,
        path: answer.path.iter().map(|hash| hash_of(hash)).collect::<Result<_, _>>()?,
        checkpoint: read_checkpoint(checkpoint)?,
    })
}

fn part(part: &pb::LedgerProofPart) -> Result<ProofPart, ChargeProofError> {
    if part.content.is_empty() {
        return Ok(ProofPart::Hidden(hash_of(&part.commitment)?));
    }
    Ok(ProofPart::Shown { salt: hash_of(&part.salt)?, content: part.content.to_vec() })
}

/// Reads a checkpoint, whose signature is still to be checked.
pub fn read_checkpoint(
    checkpoint: &pb::LedgerCheckpoint,
) -> Result<SignedCheckpoint, ChargeProofError> {
    let malformed = || ChargeProofError::Malformed("checkpoint");
    let tenant = id::parse("tenant", &checkpoint.tenant_id).ok_or_else(malformed)?;
    let time = checkpoint.sign_time.as_ref().ok_or_else(malformed)?;
    let micros = time.seconds.checked_mul(1_000_000).ok_or_else(malformed)?;
    Ok(SignedCheckpoint {
        checkpoint: Checkpoint {
            tenant: Uuid::from_u128(tenant),
            size: count(checkpoint.size)?,
            root: hash_of(&checkpoint.root_hash)?,
            chain: hash_of(&checkpoint.chain_hash)?,
            time: micros.checked_add(i64::from(time.nanos) / 1_000).ok_or_else(malformed)?,
        },
        signature: checkpoint.signature[..].try_into().map_err(|_| malformed())?,
    })
}

fn hash_of(bytes: &[u8]) -> Result<Hash, ChargeProofError> {
    bytes.try_into().map_err(|_| ChargeProofError::Malformed("hash"))
}

fn count(number: i64) -> Result<u64, ChargeProofError> {
    u64::try_from(number).map_err(|_| ChargeProofError::Malformed("number"))
}

#[cfg(test)]
mod tests {
    use plasma_proto::billing::v1 as pb;

    use super::{ChargeProofError, check_charge_proof};

    #[test]
    fn an_answer_that_is_not_whole_is_refused() {
        let checked = |answer| check_charge_proof(&answer, "charge_1", &[]).unwrap_err();
        let nothing = pb::GetChargeProofResponse::default();
        assert_eq!(checked(nothing.clone()), ChargeProofError::Malformed("checkpoint"));
        let checkpoint = Some(pb::LedgerCheckpoint::default());
        let bare = pb::GetChargeProofResponse { checkpoint, ..nothing.clone() };
        assert_eq!(checked(bare.clone()), ChargeProofError::Malformed("checkpoint"));
        let path = vec![vec![1; 31].into()];
        let short = pb::GetChargeProofResponse { path, ..bare.clone() };
        assert_eq!(checked(short), ChargeProofError::Malformed("hash"));
        let negative = pb::GetChargeProofResponse { number: -1, ..bare };
        assert_eq!(checked(negative), ChargeProofError::Malformed("number"));
    }
}
