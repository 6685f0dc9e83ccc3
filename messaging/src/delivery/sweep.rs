//! Finds what a lost hint left behind: a sender that died between commit and hint, a bus that is
//! down. One query for all devices of the node, whatever their number.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Delivery;
use super::planted::{self, Bug};
use crate::store::envelopes;

/// How often a node looks.
const INTERVAL: Duration = Duration::from_millis(500);
/// How far back it looks.
const WINDOW: Duration = Duration::from_secs(10);

/// Sweeps until `stop`. After the store was out of reach, every device looks for itself.
pub(super) async fn run(delivery: Delivery, stop: CancellationToken) {
    let node = &delivery.inner;
    let mut failed = false;
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if node.hub.is_empty() || planted::has(Bug::SkipSweep) {
            continue;
        }
        match envelopes::recently_stored(&node.db, node.env.now().minus(WINDOW)).await {
            Ok(devices) if !failed => devices.into_iter().for_each(|device| node.hub.hint(device)),
            Ok(_) => {
                failed = false;
                node.hub.hint_all();
            }
            Err(error) => {
                failed = true;
                tracing::warn!(%error, "the sweep could not read the store; trying again");
            }
        }
    }
}
