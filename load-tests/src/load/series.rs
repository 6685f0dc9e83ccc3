//! What was measured in each second, told as it goes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::task::JoinHandle;

use super::progress::say;
use crate::ledger::Tally;
use crate::traffic::Surroundings;

const STEP: Duration = Duration::from_secs(1);

/// One second of a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Point {
    /// Seconds since the load began.
    pub at: f64,
    /// Messages per second whose sending began.
    pub sent: f64,
    /// Envelopes per second that arrived.
    pub received: f64,
    /// Envelopes that were answered OK and had not arrived.
    pub awaited: u64,
    /// Median of the delivery in milliseconds; 0 where nothing was delivered.
    pub p50: f64,
    /// 99 of 100 deliveries took no longer.
    pub p99: f64,
    /// The longest delivery.
    pub max: f64,
}

/// Measures every second until it is stopped.
#[derive(Debug)]
pub struct Series {
    points: Arc<Mutex<Vec<Point>>>,
    task: JoinHandle<()>,
}

impl Series {
    /// Begins.
    pub fn start(around: Arc<Surroundings>) -> Self {
        let points = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(run(around, Arc::clone(&points)));
        Self { points, task }
    }

    /// Ends; what was measured.
    pub fn stop(self) -> Vec<Point> {
        self.task.abort();
        std::mem::take(&mut *self.points.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn run(around: Arc<Surroundings>, points: Arc<Mutex<Vec<Point>>>) {
    let begun = Instant::now();
    let (mut before, mut looked) = (around.ledger.tally(), begun);
    let mut ticks = tokio::time::interval(STEP);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let (tally, window) = (around.ledger.tally(), around.meters.take_window());
        let seconds = looked.elapsed().as_secs_f64();
        looked = Instant::now();
        let point = Point {
            at: begun.elapsed().as_secs_f64(),
            sent: rate(tally.sent - before.sent, seconds),
            received: rate(tally.received - before.received, seconds),
            awaited: tally.awaited,
            p50: window.delivery.quantile(0.5),
            p99: window.delivery.quantile(0.99),
            max: window.delivery.max(),
        };
        before = tally;
        say(line(&point, &tally));
        points.lock().unwrap_or_else(PoisonError::into_inner).push(point);
    }
}

fn line(point: &Point, tally: &Tally) -> String {
    let Point { at, sent, received, awaited, p50, p99, max } = *point;
    format!(
        "{at:6.0} s  sent {:>8} ({sent:.0}/s)  received {:>8} ({received:.0}/s)  awaited {awaited}  \
         p50 {p50:.1} ms  p99 {p99:.1} ms  max {max:.1} ms",
        tally.sent, tally.received
    )
}

/// A count as a rate.
pub fn rate(count: u64, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of a load are far below 2^53")]
    let count = count as f64;
    if seconds > 0.0 { count / seconds } else { 0.0 }
}
