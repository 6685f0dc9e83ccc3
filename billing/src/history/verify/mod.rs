//! The verifier: recomputes a ledger from its postings, and names what does not fit.
//!
//! Reads one state of the database, page by page, so that it runs beside a service that works and
//! takes no more memory for a large ledger than for a small one. It believes no row: a balance is
//! what the postings say, a posting is what the chain says, and the chain is what was signed.
//!
//! What it cannot see is a whole tenant that was deleted, or one whose last transactions were
//! deleted together with everything that followed from them. Against that stand the checkpoints
//! that others keep.

mod accounts;
mod chain;
mod charges;
mod clearing;
mod finding;
mod snapshot;
mod transactions;
mod wallets;

use plasma_kit::db::StoreError;
use plasma_kit::env::Timestamp;
use plasma_kit::ids::TenantId;
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env};
use plasma_proof::CheckpointKey;
use uuid::Uuid;

use super::Seals;
use snapshot::{Snapshot, SnapshotOf};

pub use finding::{Defect, Finding};

/// Rows that are read at a time.
const PAGE: u64 = 500;

/// What was verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Tenants with books.
    pub tenants: u64,
    /// Transactions.
    pub transactions: u64,
    /// Links of chains.
    pub links: u64,
    /// Movements of wallets.
    pub wallet_entries: u64,
    /// Accounts.
    pub accounts: u64,
    /// Charges.
    pub charges: u64,
    /// What does not fit.
    pub findings: u64,
}

/// Verifies the books of one tenant or of all. `tell` hears of each thing that does not fit.
pub async fn verify(
    db: &Db,
    env: &Env,
    secrets: &Secrets,
    tenant: Option<TenantId>,
    tell: &mut (dyn FnMut(Finding) + Send),
) -> Result<Verified, StoreError> {
    let seals = Seals::derive(secrets);
    let keys = seals.public();
    let snapshot = Snapshot::take(db).await?;
    let verified = Verified::default();
    let mut audit = Audit { seals, keys, now: env.now(), verified, tell };
    if let Some(tenant) = tenant {
        audit.books(&snapshot.of(tenant)).await?;
    } else {
        let mut after = TenantId(Uuid::nil());
        while let Some(tenant) = snapshot.next_tenant(after).await? {
            audit.books(&snapshot.of(tenant)).await?;
            after = tenant;
        }
    }
    Ok(audit.verified)
}

/// One verification under way.
struct Audit<'a> {
    seals: Seals,
    keys: Vec<CheckpointKey>,
    now: Timestamp,
    verified: Verified,
    tell: &'a mut (dyn FnMut(Finding) + Send),
}

impl Audit<'_> {
    async fn books(&mut self, books: &SnapshotOf<'_>) -> Result<(), StoreError> {
        self.verified.tenants += 1;
        self.transactions(books).await?;
        self.chain(books).await?;
        self.wallets(books).await?;
        self.accounts(books).await?;
        self.charges(books).await?;
        self.clearing(books).await
    }

    fn find(&mut self, books: &SnapshotOf<'_>, defect: Defect) {
        self.verified.findings += 1;
        (self.tell)(Finding { tenant: books.id(), defect });
    }
}
