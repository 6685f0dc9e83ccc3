//! Goes on with what nobody drives: operations that a node left behind, calls that were not answered,
//! reserves that no purchase used. Runs on every node; leases keep them out of each other's way.

use std::time::Duration;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use super::settle::{Aim, Driven};
use crate::Billing;
use crate::error::Error;
use crate::store::external::operations;

/// Operations that are taken at once.
const BATCH: u32 = 32;
/// Operations that are driven at a time. One provider's calls are bounded besides.
const AT_ONCE: usize = 8;
/// How often ended days are looked for.
const DAYS_INTERVAL: Duration = Duration::from_mins(1);

impl Billing {
    /// Starts the background work with tenants' own wallets, until `stop`.
    pub fn work_on_external_wallets(&self, stop: CancellationToken) {
        let (settling, days) = (self.clone(), self.clone());
        let until = stop.clone();
        tokio::spawn(async move { settling.settle_until(until).await });
        tokio::spawn(async move { days.reconcile_until(stop).await });
    }

    async fn settle_until(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.external.policy.worker_interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.external.wake.notified() => {}
            }
            // Until a batch is not full.
            loop {
                match self.settle_due().await {
                    Ok(settled) if settled == BATCH as usize && !stop.is_cancelled() => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(?error, "operations at wallets wait for the next round");
                        break;
                    }
                }
            }
        }
    }

    /// Drives a batch of what is due, and says how many were.
    pub(super) async fn settle_due(&self) -> Result<usize, Error> {
        let holder = self.env.uuid();
        let (lease, now) = (self.new_lease(holder), self.env.now());
        let due = operations::take_due(&self.db.system(), lease, now, BATCH).await?;
        let count = due.len();
        futures::stream::iter(due)
            .for_each_concurrent(AT_ONCE, async |(tenant, operation)| {
                let id = operation.id;
                let driven = Driven { tenant, operation, holder };
                if let Err(error) = self.drive(driven, Aim::Settlement).await {
                    tracing::warn!(%tenant, %id, ?error, "an operation at a wallet waits");
                }
            })
            .await;
        Ok(count)
    }

    async fn reconcile_until(&self, stop: CancellationToken) {
        let interval = DAYS_INTERVAL.min(self.external.policy.worker_interval * 60);
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.external.wake_days.notified() => {}
            }
            if let Err(error) = self.reconcile_due().await {
                tracing::warn!(?error, "the reconciliation waits for the next round");
            }
        }
    }
}
