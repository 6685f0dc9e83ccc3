//! Waits between attempts: longer each time, never in step with other devices.

use std::time::Duration;

use tokio::time::Instant;

use crate::env::Env;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

/// The waits of one operation.
#[derive(Debug)]
pub(crate) struct Backoff {
    env: Env,
    delay: Duration,
    deadline: Option<Instant>,
}

impl Backoff {
    /// Waits until `patience` is over.
    pub(crate) fn new(env: Env, patience: Duration) -> Self {
        Self { env, delay: FIRST, deadline: Some(Instant::now() + patience) }
    }

    /// Waits for ever.
    pub(crate) fn endless(env: Env) -> Self {
        Self { env, delay: FIRST, deadline: None }
    }

    /// Returns the next wait, at least what the service asks for; `None` when it is time to give up.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Option<Duration> {
        let delay = self.env.jittered(self.delay).max(asked.unwrap_or_default());
        self.delay = (self.delay * 2).min(LONGEST);
        match self.deadline {
            Some(deadline) if Instant::now() + delay > deadline => None,
            _ => Some(delay),
        }
    }

    /// Begins with short waits again, after a success.
    pub(crate) fn reset(&mut self) {
        self.delay = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_keep_to_what_the_service_asks_and_end() {
        let mut backoff = Backoff::new(Env::system(), Duration::from_secs(5));
        let first = backoff.next(None).unwrap();
        let second = backoff.next(None).unwrap();
        assert!(first >= FIRST * 3 / 4 && first <= FIRST * 5 / 4, "{first:?}");
        assert!(second > first, "{second:?}");
        assert_eq!(backoff.next(Some(Duration::from_secs(3))), Some(Duration::from_secs(3)));
        assert_eq!(backoff.next(Some(Duration::from_secs(6))), None);
    }
}
