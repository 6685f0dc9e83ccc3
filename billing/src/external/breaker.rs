//! A circuit breaker: a provider that fails again and again is left alone for a while, and then
//! tried with one call.

use std::time::{Duration, Instant};

/// What is remembered of a provider's failures.
#[derive(Debug)]
pub(crate) struct Breaker {
    failures_max: u32,
    wait_min: Duration,
    wait_max: Duration,
    failures: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        since: Instant,
        wait: Duration,
    },
    /// One call is under way to see. If it is never heard of again, another may after `wait`.
    Trying {
        since: Instant,
        wait: Duration,
    },
}

impl Breaker {
    pub(crate) fn new(failures_max: u32, wait_min: Duration, wait_max: Duration) -> Self {
        Self { failures_max, wait_min, wait_max, failures: 0, state: State::Closed }
    }

    /// Lets a call through, or says how long to wait.
    pub(crate) fn admit(&mut self, now: Instant) -> Result<(), Duration> {
        match self.state {
            State::Closed => Ok(()),
            State::Open { since, wait } | State::Trying { since, wait } => {
                let passed = now.saturating_duration_since(since);
                if passed < wait {
                    return Err(wait.saturating_sub(passed));
                }
                self.state = State::Trying { since: now, wait };
                Ok(())
            }
        }
    }

    /// How long calls are kept back from now on; `None` where the next is let through.
    pub(crate) fn kept_back(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Closed => None,
            State::Open { since, wait } | State::Trying { since, wait } => wait
                .checked_sub(now.saturating_duration_since(since))
                .filter(|left| !left.is_zero()),
        }
    }

    /// A call was answered.
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.state = State::Closed;
    }

    /// A call was not answered.
    pub(crate) fn failed(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.state = match self.state {
            State::Trying { wait, .. } => {
                State::Open { since: now, wait: (wait * 2).min(self.wait_max) }
            }
            State::Closed if self.failures >= self.failures_max => {
                State::Open { since: now, wait: self.wait_min }
            }
            // Calls that were under way when it opened say nothing new.
            state => state,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Breaker;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_opens_after_failures_in_a_row_and_tries_with_one_call() {
        let start = Instant::now();
        let mut breaker = Breaker::new(3, SECOND, SECOND * 4);
        for _ in 0..2 {
            breaker.failed(start);
        }
        breaker.succeeded();
        for _ in 0..2 {
            breaker.failed(start);
            assert_eq!(breaker.admit(start), Ok(()));
        }
        breaker.failed(start);
        assert_eq!(breaker.admit(start), Err(SECOND));
        assert_eq!(breaker.kept_back(start + SECOND / 2), Some(SECOND / 2));
        let later = start + SECOND;
        assert_eq!(breaker.kept_back(later), None);
        assert_eq!(breaker.admit(later), Ok(()));
        assert!(breaker.admit(later).is_err(), "a second call while one tries");
        breaker.failed(later);
        assert_eq!(breaker.admit(later + SECOND), Err(SECOND));
        assert_eq!(breaker.admit(later + SECOND * 2), Ok(()));
        breaker.succeeded();
        assert_eq!(breaker.admit(later + SECOND * 2), Ok(()));
        assert_eq!(breaker.admit(later + SECOND * 2), Ok(()));
    }

    #[test]
    fn waits_are_bounded_and_a_lost_try_does_not_close_the_door() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(1, SECOND, SECOND * 4);
        breaker.failed(now);
        for _ in 0..6 {
            now += SECOND * 4;
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
        assert_eq!(breaker.admit(now), Err(SECOND * 4));
        now += SECOND * 4;
        assert_eq!(breaker.admit(now), Ok(()));
        // Whoever tried is gone.
        assert_eq!(breaker.admit(now + SECOND * 4), Ok(()));
    }
}
