//! How long messages took, from the moment at which they were due to the moment at which the
//! receiver read them.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

/// Longer than this is counted as this.
const LONGEST: Duration = Duration::from_mins(1);

/// What was noted in a window.
#[derive(Debug)]
pub struct Latencies(RefCell<Histogram<u64>>);

impl Latencies {
    /// Begins with nothing noted. Three digits are kept of each value.
    pub fn new() -> Result<Self> {
        let longest = u64::try_from(LONGEST.as_micros())?;
        Ok(Self(RefCell::new(Histogram::new_with_bounds(1, longest, 3)?)))
    }

    /// Notes a message that was read now.
    pub fn note(&self, due: Instant) {
        let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.borrow_mut().saturating_record(micros);
    }

    /// Forgets everything: a window begins.
    pub fn clear(&self) {
        self.0.borrow_mut().reset();
    }

    /// What was noted since the window began.
    pub fn read(&self) -> Quantiles {
        let noted = self.0.borrow();
        let at = |quantile| micros(noted.value_at_quantile(quantile));
        Quantiles {
            count: noted.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: micros(noted.max()),
        }
    }
}

fn micros(value: u64) -> f64 {
    u32::try_from(value).unwrap_or(u32::MAX).into()
}

/// Latencies in µs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantiles {
    /// How many messages.
    pub count: u64,
    /// Half of them were faster.
    pub p50: f64,
    /// 99 % were faster.
    pub p99: f64,
    /// 99.9 % were faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Latencies;

    #[test]
    fn quantiles_are_those_of_the_window() {
        let latencies = Latencies::new().unwrap();
        latencies.note(Instant::now().checked_sub(Duration::from_secs(30)).unwrap());
        latencies.clear();
        for millis in 1..=100 {
            latencies.note(Instant::now().checked_sub(Duration::from_millis(millis)).unwrap());
        }
        let read = latencies.read();
        assert_eq!(read.count, 100);
        assert!((50_000.0..52_000.0).contains(&read.p50), "{read:?}");
        assert!((99_000.0..101_000.0).contains(&read.p99), "{read:?}");
        assert!(read.max < 1_000_000.0, "{read:?}");
    }
}
