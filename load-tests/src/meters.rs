//! What a load measures while it runs: latencies as HDR histograms and counts of what went on
//! beneath.
//!
//! Latencies count from the moment for which a message was **due**, not from the moment at which
//! the generator came to send it: a service that stalls makes messages late that were to be sent
//! meanwhile, and they are counted (no coordinated omission).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency that is told apart from longer ones.
const LONGEST: Duration = Duration::from_mins(10);
const SIGNIFICANT_DIGITS: u8 = 3;

/// Latencies in microseconds.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        let histogram = Histogram::new_with_max(longest, SIGNIFICANT_DIGITS);
        Self(histogram.expect("three digits up to ten minutes are within bounds"))
    }
}

impl Latencies {
    /// Adds one.
    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.0.saturating_record(micros);
    }

    /// Adds others.
    pub fn add(&mut self, others: &Self) {
        // Histograms of the same bounds always add up.
        let _ = self.0.add(&others.0);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that a part of all does not exceed, in milliseconds; 0 where there is none.
    pub fn quantile(&self, part: f64) -> f64 {
        millis(self.0.value_at_quantile(part))
    }

    /// The greatest, in milliseconds.
    pub fn max(&self) -> f64 {
        millis(self.0.max())
    }

    /// The mean, in milliseconds.
    pub fn mean(&self) -> f64 {
        self.0.mean() / 1_000.0
    }

    /// Points of the distribution: the part of all, and the latency that it does not exceed.
    pub fn distribution(&self) -> Vec<(f64, f64)> {
        let points = self.0.iter_quantiles(2);
        points.map(|at| (at.quantile_iterated_to(), millis(at.value_iterated_to()))).collect()
    }

    /// The usual numbers.
    pub fn summary(&self) -> Summary {
        Summary {
            count: self.count(),
            mean: self.mean(),
            p50: self.quantile(0.5),
            p90: self.quantile(0.9),
            p99: self.quantile(0.99),
            p99_9: self.quantile(0.999),
            max: self.max(),
        }
    }
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1_000.0
}

/// Latencies in milliseconds, as they are reported.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// How many there are.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: f64,
    /// 90 of 100 are not longer.
    pub p90: f64,
    /// 99 of 100 are not longer.
    pub p99: f64,
    /// 999 of 1,000 are not longer.
    pub p99_9: f64,
    /// Longest.
    pub max: f64,
}

/// Something that happened beneath the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// A stream was opened.
    Opened,
    /// A stream ended in order, and the device came back at once.
    Resumed,
    /// A stream or connection broke, and the device came back after a wait.
    Reconnected,
    /// A stream ended because the device had a newer one.
    Conflicted,
    /// A send was repeated with the same id.
    SentAgain,
    /// A send was told to come later (`RESOURCE_EXHAUSTED` with `RetryInfo`).
    PushedBack,
    /// A token was obtained by a signature.
    SignedIn,
    /// A chat was opened.
    ChatOpened,
    /// A message was written in a chat that had rested for so long that its node must look it up.
    LookedUp,
    /// Acknowledgements were given up; what they were for is offered again.
    AcknowledgementLost,
}

/// What is measured. Shared by everything that sends and receives.
#[derive(Debug, Default)]
pub struct Meters {
    readings: Mutex<Readings>,
    /// Since it was last taken.
    window: Mutex<Readings>,
}

/// What was measured for a time.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    /// From due to the first arrival at a device that was there.
    pub delivery: Latencies,
    /// The same of messages that were due while their device was away.
    pub caught_up: Latencies,
    /// From due to the answer of the send.
    pub answer: Latencies,
    /// What happened beneath, how often.
    pub happenings: BTreeMap<Happening, u64>,
    /// Why calls and streams failed, how often.
    pub failures: BTreeMap<String, u64>,
}

impl Readings {
    /// Adds what was measured at another time.
    pub fn add(&mut self, other: &Self) {
        self.delivery.add(&other.delivery);
        self.caught_up.add(&other.caught_up);
        self.answer.add(&other.answer);
        for (happening, count) in &other.happenings {
            *self.happenings.entry(*happening).or_default() += count;
        }
        for (why, count) in &other.failures {
            *self.failures.entry(why.clone()).or_default() += count;
        }
    }
}

impl Meters {
    /// Notes how long a message took to a device that was there when it was due.
    pub fn delivered(&self, after: Duration) {
        self.each(|readings| readings.delivery.record(after));
    }

    /// Notes how long a message took to a device that was away when it was due.
    pub fn caught_up(&self, after: Duration) {
        self.each(|readings| readings.caught_up.record(after));
    }

    /// Notes how long a message took to its answer.
    pub fn answered(&self, after: Duration) {
        self.each(|readings| readings.answer.record(after));
    }

    /// Notes something that happened.
    pub fn count(&self, happening: Happening) {
        self.each(|readings| *readings.happenings.entry(happening).or_default() += 1);
    }

    /// Notes why a call or stream failed.
    pub fn failed(&self, why: &str) {
        self.each(|readings| *readings.failures.entry(why.to_owned()).or_default() += 1);
    }

    /// Everything since the beginning or since [`Meters::restart`].
    pub fn readings(&self) -> Readings {
        lock(&self.readings).clone()
    }

    /// Begins anew; what was measured until now.
    pub fn restart(&self) -> Readings {
        std::mem::take(&mut *lock(&self.readings))
    }

    /// Takes what was measured since it was last taken.
    pub fn take_window(&self) -> Readings {
        std::mem::take(&mut *lock(&self.window))
    }

    fn each(&self, note: impl Fn(&mut Readings)) {
        note(&mut lock(&self.readings));
        note(&mut lock(&self.window));
    }
}

fn lock(readings: &Mutex<Readings>) -> MutexGuard<'_, Readings> {
    readings.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Happening, Meters};

    #[test]
    fn quantiles_are_within_a_thousandth_and_windows_are_taken_once() {
        let meters = Meters::default();
        for millis in 1..=1_000 {
            meters.delivered(Duration::from_millis(millis));
        }
        meters.count(Happening::Opened);
        let summary = meters.readings().delivery.summary();
        assert!((summary.p50 - 500.0).abs() < 1.0, "{summary:?}");
        assert!((summary.p99 - 990.0).abs() < 2.0, "{summary:?}");
        assert_eq!(meters.take_window().delivery.count(), 1_000);
        assert_eq!(meters.take_window().delivery.count(), 0);
        assert_eq!(meters.readings().happenings[&Happening::Opened], 1);
        let mut both = meters.restart();
        assert_eq!(meters.readings().delivery.count(), 0);
        both.add(&both.clone());
        assert_eq!((both.delivery.count(), both.happenings[&Happening::Opened]), (2_000, 2));
    }

    #[test]
    fn what_takes_for_ever_counts_as_the_longest() {
        let meters = Meters::default();
        meters.answered(Duration::from_hours(5));
        assert!(meters.readings().answer.max() >= 600_000.0);
    }
}
