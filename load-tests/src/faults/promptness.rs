//! How long messages take while Redis stays away: what is promised, and what no machine excuses.

use std::fmt;

use anyhow::{Result, ensure};

use super::storm::{Outcome, WITHOUT_REDIS};

/// What is promised on a machine that does nothing else, in ms: what is stored reaches its device by
/// the sweep, twice a second.
const PROMISE: f64 = 1_000.0;
/// Beyond this, in ms, deliveries do not come by the sweep any more, however busy the machine is.
const MAX: f64 = 3_000.0;

/// The 99th percentile from due to arrival without Redis, in ms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WithoutRedis(f64);

impl WithoutRedis {
    /// What a storm found; `None` where there is no Redis.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        outcome.latency(WITHOUT_REDIS).map(|latency| Self(latency.p99))
    }

    /// Fails where no busy machine explains it.
    pub fn check(self) -> Result<()> {
        ensure!(self.0 <= MAX, "p99 without Redis is {:.0} ms, above {MAX:.0} ms", self.0);
        Ok(())
    }
}

impl fmt::Display for WithoutRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(p99) = self;
        let (verdict, by) = if *p99 <= PROMISE {
            ("kept", PROMISE - p99)
        } else {
            ("missed on this machine", p99 - PROMISE)
        };
        write!(
            f,
            "p99 without Redis is {p99:.0} ms: the promised {PROMISE:.0} ms are {verdict}, by \
             {by:.0} ms"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::WithoutRedis;

    #[test]
    fn a_promise_is_kept_or_missed_by_so_much_and_a_limit_fails() {
        let said = |p99| WithoutRedis(p99).to_string();
        assert!(said(640.0).ends_with("the promised 1000 ms are kept, by 360 ms"));
        assert!(said(1_250.0).ends_with("are missed on this machine, by 250 ms"));
        assert!(WithoutRedis(3_000.0).check().is_ok());
        assert!(WithoutRedis(3_001.0).check().is_err());
    }
}
