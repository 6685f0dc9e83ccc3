//! Frames that were dropped, told in one line now and then: whoever sends many must not fill the
//! log with them.

use std::time::{Duration, Instant};

use super::seal::Unsealed;

/// How long is between two warnings at least.
const PAUSE: Duration = Duration::from_secs(10);

/// Counts what was dropped since the last warning.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    forged: u64,
    out_of_time: u64,
    warned_at: Option<Instant>,
}

impl Dropped {
    /// Counts one; warns unless that was done just now.
    pub(super) fn count(&mut self, why: Unsealed, channel: &str) {
        if let Some((forged, out_of_time)) = self.due(why, Instant::now()) {
            tracing::warn!(
                forged,
                out_of_time,
                channel,
                "frames on the bus are dropped; the last: {why}. Somebody else publishes in this \
                 Redis, or nodes have other master keys or a wrong time"
            );
        }
    }

    /// The counts to warn of, if it is time.
    fn due(&mut self, why: Unsealed, now: Instant) -> Option<(u64, u64)> {
        match why {
            Unsealed::Forged => self.forged += 1,
            Unsealed::OutOfTime => self.out_of_time += 1,
        }
        if self.warned_at.is_some_and(|warned| now.duration_since(warned) < PAUSE) {
            return None;
        }
        let counts = (self.forged, self.out_of_time);
        *self = Self { warned_at: Some(now), ..Self::default() };
        Some(counts)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::{Dropped, PAUSE, Unsealed};

    #[test]
    fn many_frames_are_one_warning_and_none_is_uncounted() {
        let (mut dropped, begun) = (Dropped::default(), Instant::now());
        assert_eq!(dropped.due(Unsealed::Forged, begun), Some((1, 0)));
        for _ in 0..1_000 {
            assert_eq!(dropped.due(Unsealed::Forged, begun + PAUSE / 2), None);
        }
        assert_eq!(dropped.due(Unsealed::OutOfTime, begun + PAUSE), Some((1_000, 1)));
        assert_eq!(dropped.due(Unsealed::OutOfTime, begun + PAUSE * 2), Some((0, 1)));
    }
}
