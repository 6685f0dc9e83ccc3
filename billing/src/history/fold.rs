//! The folder: links what waits into each tenant's history.

use std::time::Duration;

use plasma_kit::db::StoreError;
use plasma_kit::env::Timestamp;
use plasma_kit::ids::TenantId;
use plasma_proof::{Checkpoint, chain, tree};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Seals;
use crate::Billing;
use crate::store::history::{self, Addition, FoldedBooks, Head, Link};
use crate::store::recorded::{self, Recorded};

/// How often the folder looks for what waits.
const INTERVAL: Duration = Duration::from_secs(1);
/// Most transactions that are folded in one database transaction.
const BATCH: usize = 200;
/// How often a checkpoint is kept for ever, at most.
const CHECKPOINT_INTERVAL: Duration = Duration::from_hours(1);

impl Billing {
    /// Folds what waits, every second, until `stop`. Runs on every node.
    pub async fn keep_history(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let folded = tokio::select! {
                () = stop.cancelled() => return,
                folded = self.fold() => folded,
            };
            if let Err(error) = folded {
                tracing::warn!(%error, "the ledger's history waits; trying again");
            }
        }
    }

    /// Folds what waits now, of every tenant whom no other node is folding. Gives the number of
    /// transactions.
    pub async fn fold(&self) -> Result<u64, StoreError> {
        let seals = Seals::derive(&self.secrets);
        let (mut folded, mut failed, mut after) = (0, None, TenantId(Uuid::nil()));
        while let Some(tenant) = history::next_tenant(&self.db.system(), after).await? {
            after = tenant;
            match self.fold_tenant(&seals, tenant).await {
                Ok(count) => folded += count,
                // The others must not wait for one tenant whose books are broken.
                Err(error) => {
                    tracing::warn!(%tenant, %error, "a ledger's history could not be continued");
                    failed = Some(error);
                }
            }
        }
        failed.map_or(Ok(folded), Err)
    }

    async fn fold_tenant(&self, seals: &Seals, tenant: TenantId) -> Result<u64, StoreError> {
        let mut folded = 0;
        loop {
            let count = self.fold_batch(seals, tenant).await?;
            folded += count;
            if count < BATCH as u64 {
                return Ok(folded);
            }
        }
    }

    async fn fold_batch(&self, seals: &Seals, tenant: TenantId) -> Result<u64, StoreError> {
        let tx = self.db.system().begin().await?;
        let books = FoldedBooks::new(&tx, tenant);
        let Some(mut head) = history::hold_head(&books).await? else {
            tx.rollback().await?;
            return Ok(0);
        };
        let ids = history::waiting(&books, BATCH).await?;
        let recorded = recorded::get(&books, &ids).await?;
        if recorded.is_empty() {
            tx.rollback().await?;
            return Ok(0);
        }
        let before = head.frontier.size();
        let addition = extend(&mut head, seals, &recorded)?;
        history::append(&books, &addition).await?;
        let now = self.env.now();
        let checkpoint = seals.sign(checkpoint(tenant, &head, now));
        history::move_head(&books, before, &head.frontier, &checkpoint).await?;
        let since = now.minus(CHECKPOINT_INTERVAL);
        history::keep_checkpoint(&books, &checkpoint, since).await?;
        tx.commit().await?;
        Ok(recorded.len() as u64)
    }
}

/// Links transactions to a head, which moves on.
fn extend(head: &mut Head, seals: &Seals, recorded: &[Recorded]) -> Result<Addition, StoreError> {
    let mut addition = Addition::default();
    for one in recorded {
        let entry = seals.entry(one);
        let number = head.frontier.size() + 1;
        head.chain = chain(one.header.tenant, number, &head.chain, &entry);
        head.frontier.append(tree::leaf(&entry), |subtree, hash| {
            addition.subtrees.push((subtree, hash));
        });
        let transaction = one.header.transaction;
        addition.links.push(Link { number, transaction, entry, chain: head.chain });
        for posting in one.postings.iter().filter(|posting| posting.standing.is_none()) {
            let posted = addition.posted.entry(posting.account).or_default();
            *posted = posted.checked_add(posting.minor_units).ok_or_else(|| {
                StoreError::Inconsistent(format!("the postings of {} overflow", posting.account))
            })?;
        }
    }
    Ok(addition)
}

fn checkpoint(tenant: TenantId, head: &Head, now: Timestamp) -> Checkpoint {
    Checkpoint {
        tenant: tenant.0,
        size: head.frontier.size(),
        root: head.frontier.root(),
        chain: head.chain,
        time: now.0,
    }
}
