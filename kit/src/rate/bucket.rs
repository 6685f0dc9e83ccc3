//! One bucket, told by the moment at which it will be full again: each token taken moves that
//! moment away by the time that one token needs (the generic cell rate algorithm of ATM networks).

use std::time::Duration;

use parking_lot::Mutex;

use super::SPARED;
use crate::env::Timestamp;

/// How much a bucket holds and how fast it fills.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rule {
    pub(super) burst: f64,
    pub(super) refill_micros: f64,
}

impl Rule {
    pub(super) fn new(burst: u32, refill_micros: i64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a refill is far below 2^52 microseconds")]
        let refill_micros = refill_micros.max(1) as f64;
        Self { burst: f64::from(burst.max(1)), refill_micros }
    }

    /// How long an empty bucket takes to fill.
    pub(super) fn fill_micros(self) -> f64 {
        self.burst * self.refill_micros
    }
}

/// A bucket of this node: the whole, or the mirror of one that nodes share.
#[derive(Debug)]
pub(super) struct Bucket {
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    full_at: f64,
    /// Tokens taken here that the other nodes have not been told of.
    unreported: u32,
    is_queued: bool,
}

impl Bucket {
    /// A full bucket; `name` is what nodes share it by.
    pub(super) fn named(name: String) -> Self {
        Self { name, state: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Takes a token, or says when there will be one.
    pub(super) fn take(&self, rule: Rule, now: Timestamp) -> Result<(), Duration> {
        let now = precise(now);
        let mut state = self.state.lock();
        // A clock that was set back must not close the bucket for as long.
        let full_at = state.full_at.clamp(now, now + 2.0 * rule.fill_micros());
        state.full_at = full_at;
        if full_at <= now {
            // Full again here, and so in the shared bucket as far as this node is concerned.
            state.unreported = 0;
        }
        let after = full_at + rule.refill_micros;
        let wait = after - now - rule.fill_micros();
        // Half a microsecond: what moments since 1970 round to.
        if wait > 0.5 {
            return Err(duration(wait));
        }
        state.full_at = after;
        state.unreported = state.unreported.saturating_add(1);
        Ok(())
    }

    /// Whether the other nodes should be told, and are not about to be; they are from now on.
    pub(super) fn wants_report(&self, rule: Rule, now: Timestamp) -> bool {
        let mut state = self.state.lock();
        let used_micros = state.full_at - precise(now);
        let wants = !state.is_queued && used_micros > rule.fill_micros() * SPARED;
        state.is_queued |= wants;
        wants
    }

    /// Begins a report of what was taken.
    pub(super) fn unreported(&self) -> u32 {
        let mut state = self.state.lock();
        state.is_queued = false;
        state.unreported
    }

    /// Ends a report of `count` tokens, after which the shared bucket is full in `full_in`
    /// microseconds; `None`: nobody was told.
    pub(super) fn reported(&self, count: u32, full_in: Option<f64>, now: Timestamp, rule: Rule) {
        let Some(full_in) = full_in else { return };
        let mut state = self.state.lock();
        state.unreported = state.unreported.saturating_sub(count);
        state.full_at = precise(now) + full_in + f64::from(state.unreported) * rule.refill_micros;
    }
}

fn precise(moment: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact to a quarter microsecond until 2255")]
    let micros = moment.0 as f64;
    micros
}

pub(super) fn duration(micros: f64) -> Duration {
    Duration::try_from_secs_f64(micros.max(0.0) / 1_000_000.0).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { burst: 16.0, refill_micros: 1_000_000.0 };

    fn after(seconds: i64) -> Timestamp {
        Timestamp(1_790_000_000_000_000 + seconds * 1_000_000)
    }

    fn take_all(bucket: &Bucket, now: Timestamp) -> u32 {
        (0..100).map(|_| u32::from(bucket.take(RULE, now).is_ok())).sum()
    }

    #[test]
    fn a_bucket_empties_refills_and_says_when() {
        let bucket = Bucket::named(String::new());
        assert_eq!(take_all(&bucket, after(0)), 16);
        assert_eq!(bucket.take(RULE, after(0)), Err(Duration::from_secs(1)));
        assert_eq!(take_all(&bucket, after(5)), 5);
        assert_eq!(take_all(&bucket, after(1_000)), 16);
    }

    #[test]
    fn a_clock_set_back_closes_a_bucket_for_no_longer_than_it_takes_to_fill_twice() {
        let bucket = Bucket::named(String::new());
        take_all(&bucket, after(3_600));
        let wait = bucket.take(RULE, after(0)).unwrap_err();
        assert!(wait <= Duration::from_secs(32), "{wait:?}");
        assert!(bucket.take(RULE, after(33)).is_ok(), "nor does asking keep it closed");
    }

    #[test]
    fn a_little_use_is_kept_to_oneself_and_more_is_reported_once() {
        let bucket = Bucket::named(String::new());
        for _ in 0..2 {
            bucket.take(RULE, after(0)).unwrap();
            assert!(!bucket.wants_report(RULE, after(0)));
        }
        bucket.take(RULE, after(0)).unwrap();
        assert!(bucket.wants_report(RULE, after(0)));
        assert!(!bucket.wants_report(RULE, after(0)), "it is queued");
        assert_eq!(bucket.unreported(), 3);
        bucket.reported(3, None, after(0), RULE);
        assert_eq!(bucket.unreported(), 3, "nobody was told");
    }

    #[test]
    fn the_mirror_is_what_the_nodes_took_together_and_what_is_not_reported_yet() {
        let bucket = Bucket::named(String::new());
        for _ in 0..4 {
            bucket.take(RULE, after(0)).unwrap();
        }
        // Three were reported; with them the nodes have taken ten.
        bucket.reported(3, Some(10_000_000.0), after(0), RULE);
        assert_eq!(take_all(&bucket, after(0)), 16 - 10 - 1);
    }
}
