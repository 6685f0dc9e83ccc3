//! What does not fit, in words for a person.

use std::fmt;

use plasma_kit::ids::{ChargeId, PayoutId, TenantId, TransactionId};
use uuid::Uuid;

/// Something in a tenant's books that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The tenant.
    pub tenant: TenantId,
    /// What it is.
    pub defect: Defect,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tenant, self.defect)
    }
}

/// What does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// A transaction's postings do not add up to 0.
    #[error("{0}: its postings add up to {1} instead of 0")]
    Unbalanced(TransactionId, i128),
    /// A transaction has no postings, or not those of lines 1 and on, or in several currencies or
    /// of several times.
    #[error("{0}: its postings are not one transaction's")]
    Malformed(TransactionId),
    /// A transaction is not what it was when it was folded.
    #[error("{0}: it or its postings were changed since it was folded as number {1}")]
    Changed(TransactionId, u64),
    /// A transaction is neither folded nor waits for it.
    #[error("{0}: it is not in the history and does not wait for it")]
    NotInHistory(TransactionId),
    /// A transaction waits for too long.
    #[error("{0}: it has waited {1} s to be folded")]
    Waiting(TransactionId, i64),
    /// A transaction is folded, and waits to be folded.
    #[error("{0}: it waits to be folded and is folded already")]
    FoldedTwice(TransactionId),
    /// What waits to be folded is no transaction.
    #[error("{0}: it waits to be folded, but there is no such transaction")]
    WaitsWithoutTransaction(TransactionId),
    /// Postings are left of a transaction that is gone.
    #[error("{0}: there are postings of it, but no such transaction")]
    PostingsWithoutTransaction(TransactionId),
    /// A posting is on an account that is not there, or not what its id says.
    #[error("{0}: line {1} is on account {2}, which is missing or another one")]
    WrongAccount(TransactionId, i16, Uuid),
    /// The history names a transaction that is gone.
    #[error("{0}: it was folded as number {1}, and is gone")]
    Gone(TransactionId, u64),
    /// The chain has a gap.
    #[error("number {0} of the chain is missing")]
    Gap(u64),
    /// A link does not follow from the one before.
    #[error("number {0} of the chain ({1}) does not follow from the one before")]
    BrokenLink(u64, TransactionId),
    /// A subtree that is kept is another, or missing.
    #[error("the subtree of height {0} at {1} is not that of its entries")]
    WrongSubtree(u32, u64),
    /// A checkpoint states another history.
    #[error("the checkpoint of {0} entries states another history")]
    WrongCheckpoint(u64),
    /// A checkpoint is not signed by the service.
    #[error("the checkpoint of {0} entries is not signed by the service")]
    Unsigned(u64),
    /// The head, or the last checkpoint, is ahead of the chain or behind it.
    #[error("the history ends with number {1}, and its head says {0}")]
    WrongHead(u64, u64),
    /// A movement of a wallet does not follow from the one before.
    #[error("{0}: number {2} of wallet {1} leaves {3}, and {4} follows from those before")]
    WrongStanding(TransactionId, Uuid, i64, i64, i128),
    /// A wallet's balance is not the sum of its postings.
    #[error("wallet {0} holds {1} by its balance and {2} by its postings")]
    WrongBalance(Uuid, i64, i128),
    /// A wallet's balance counts another number of movements.
    #[error("wallet {0} counts {1} movements and has {2}")]
    WrongVersion(Uuid, i64, i64),
    /// A wallet has postings and no balance, or a balance and no postings.
    #[error("wallet {0} has postings without a balance or a balance without postings")]
    BalanceMissing(Uuid),
    /// The kept balance of an account is not the sum of its folded postings.
    #[error("account {0} holds {1} by its kept balance and {2} by its postings")]
    WrongFolded(Uuid, i64, i128),
    /// What was paid out by the kept number is not what the postings say.
    #[error("of the earnings {0}, {1} is paid out by the kept number and {2} by the postings")]
    WrongPaidOut(Uuid, i64, i128),
    /// No transaction posts a payout, or another amount.
    #[error("{0}: no transaction posts it as it is recorded")]
    PayoutNotPosted(PayoutId),
    /// All accounts of a currency do not add up to 0.
    #[error("all accounts in {0} add up to {1} instead of 0")]
    BooksUnbalanced(String, i128),
    /// No transaction posts a charge.
    #[error("{0}: no transaction posts it")]
    ChargeNotPosted(ChargeId),
    /// A charge is not divided as its transaction is.
    #[error("{0}: its split is not what {1} posts")]
    WrongSplit(ChargeId, TransactionId),
    /// A transaction posts a charge that is gone.
    #[error("{0}: it posts the charge {1}, which is gone")]
    ChargeGone(TransactionId, String),
    /// What one platform owes is not what the other is owed.
    #[error("{1} in {2} is between here and {0} here, and {3} there")]
    ClearingDiffers(TenantId, i128, String, i128),
}
