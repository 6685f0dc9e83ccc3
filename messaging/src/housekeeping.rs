//! Deletes what has had its time: linkings that ended, what was stored for a device while it was
//! being removed, and what reports have disclosed.

use std::time::Duration;

use plasma_kit::{Env, StoreError, SystemDb, Timestamp};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::store;

const INTERVAL: Duration = Duration::from_mins(1);
/// How long a linking that ended still says so, rather than that there is none.
const ENDED_LINKING_KEPT: Duration = Duration::from_mins(1);
/// How far back removals are looked at: longer than any transaction that stores an envelope.
const REMOVALS_WINDOW: Duration = Duration::from_mins(10);
/// How long a platform can read what a report discloses.
const DISCLOSED_KEPT: Duration = Duration::from_hours(180 * 24);

/// Deletes once a minute until `stop`.
pub(crate) async fn run(db: SystemDb, env: Env, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = prune(&db, env.now()).await {
            tracing::warn!(%error, "old rows stay until the next minute");
        }
    }
}

/// Deletes what has had its time at `now`, and says how much.
pub(crate) async fn prune(db: &SystemDb, now: Timestamp) -> Result<u64, StoreError> {
    let linkings = store::linkings::sweep(db, now.minus(ENDED_LINKING_KEPT)).await?;
    let strays = store::removal::delete_strays(db, now.minus(REMOVALS_WINDOW)).await?;
    let disclosed = store::reports::forget_messages(db, now.minus(DISCLOSED_KEPT)).await?;
    Ok(linkings + strays + disclosed)
}
