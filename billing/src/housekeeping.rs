//! Deletes what has had its time: which messages were paid for, once no retry of them is free any
//! more.

use std::time::Duration;

use plasma_kit::status::Failure;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::Billing;
use crate::store::spent_messages;

/// How often a node looks for it.
const INTERVAL: Duration = Duration::from_mins(10);
/// How long the same message is paid for by the unit that it cost.
const SPENT_MESSAGE_KEPT: Duration = Duration::from_hours(30 * 24);
/// Rows of one transaction, so that it keeps nobody waiting.
const BATCH: u64 = 5_000;

impl Billing {
    /// Deletes every ten minutes until `stop`.
    pub(crate) async fn tidy_until(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(failure) = self.tidy().await {
                tracing::warn!(reason = failure.reason().as_str_name(), "old rows stay for now");
            }
        }
    }

    /// Deletes what has had its time by now, and says how many rows that were.
    pub async fn tidy(&self) -> Result<u64, Failure> {
        let db = self.db.system();
        let before = self.env.now().minus(SPENT_MESSAGE_KEPT);
        let mut deleted = 0;
        loop {
            let some = spent_messages::forget(&db, before, BATCH).await?;
            deleted += some;
            if some < BATCH {
                return Ok(deleted);
            }
        }
    }
}
