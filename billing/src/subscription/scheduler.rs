//! Works off what is due, on every node at once: each takes some subscriptions in hand for a while
//! and passes over those that another has.

use std::time::Duration;

use futures::StreamExt;
use plasma_kit::ids::TenantId;
use plasma_kit::status::Failure;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::renew::Outcome;
use crate::Billing;
use crate::store::subscriptions::{self, Due, DueBy};

/// How often a node looks for what is due; a credit of a wallet does not wait for it.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many subscriptions a node takes in hand at once.
const BATCH: u64 = 200;
/// How many of them it renews at the same time.
const AT_ONCE: usize = 8;
/// How long a node has them in hand. One that it could not deal with is tried again after that.
const LEASE: Duration = Duration::from_mins(1);

impl Billing {
    /// Renews on this node until `stop`.
    pub(crate) async fn renew_until(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.due.notified() => {}
            }
            if let Err(failure) = self.work_off().await {
                tracing::warn!(reason = failure.reason().as_str_name(), "renewals wait");
            }
        }
    }

    /// Does all that is due now and that no other node has in hand. Says how many subscriptions it
    /// renewed.
    pub async fn work_off(&self) -> Result<u64, Failure> {
        let mut renewed = self.work_off_of(None).await?;
        let ahead = subscriptions::due_ahead(&self.db.system(), self.env.now(), BATCH).await?;
        for sandbox in ahead {
            renewed += self.work_off_of(Some(sandbox)).await?;
        }
        Ok(renewed)
    }

    /// As [`Billing::work_off`], of one tenant's subscriptions, by its clock.
    pub(crate) async fn work_off_of(&self, tenant: Option<TenantId>) -> Result<u64, Failure> {
        let db = self.db.system();
        let mut renewed = 0;
        loop {
            let now = self.env.now();
            let moment = match tenant {
                Some(tenant) => self.now(tenant).await?,
                None => now,
            };
            let lease = (now, now.plus(LEASE));
            let due = subscriptions::lease(&db, DueBy { moment, tenant }, lease, BATCH).await?;
            if due.is_empty() {
                return Ok(renewed);
            }
            let outcomes = futures::stream::iter(due).map(|due| self.renew_one(due));
            let outcomes: Vec<bool> = outcomes.buffer_unordered(AT_ONCE).collect().await;
            renewed += outcomes.into_iter().map(u64::from).sum::<u64>();
        }
    }

    /// Whether a period was paid. What fails is left in hand, and so is tried again later.
    async fn renew_one(&self, due: Due) -> bool {
        let Due { tenant, id, subscription } = due;
        let outcome = match subscription {
            Ok(subscription) => self.renew(subscription).await,
            Err(error) => Err(error.into()),
        };
        match outcome {
            Ok(outcome) => outcome == Outcome::Renewed,
            Err(error) => {
                let failure = Failure::from(error);
                let reason = failure.reason().as_str_name();
                tracing::warn!(%tenant, subscription = %id, reason, "not renewed");
                false
            }
        }
    }
}
