//! The clock of a sandbox: as fast as the real time, but ahead of it, and moved forward on demand.

use std::time::Duration;

use plasma_kit::Timestamp;

/// How far a clock is moved at once at most.
pub const ADVANCE_MAX: Duration = Duration::from_hours(731 * 24);
/// How far ahead of the real time a clock may come.
pub const AHEAD_MAX: Duration = Duration::from_hours(36_525 * 24);

/// A clock. It never shows an earlier time than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// By how many microseconds it is ahead of the real time, while it runs.
    pub offset: i64,
    /// What it shows at least; what it shows while it moves.
    pub floor: Timestamp,
    /// Where it moves to, while it does.
    pub target: Option<Timestamp>,
}

/// Why a clock is not moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmoved {
    /// It moves already, to this moment.
    Moving(Timestamp),
    /// The target is not later than what it shows.
    NotLater,
    /// The target is further than a clock is moved at once, or may ever come.
    TooFar,
}

impl Clock {
    /// The clock of a sandbox that never moved it.
    pub const REAL: Self = Self { offset: 0, floor: Timestamp(0), target: None };

    /// What it shows when the real time is `real`.
    pub fn time(&self, real: Timestamp) -> Timestamp {
        match self.target {
            Some(_) => self.floor,
            None => self.floor.max(Timestamp(real.0.saturating_add(self.offset))),
        }
    }

    /// How far what it shows is ahead of the real time; 0 where a long stand has taken it behind.
    pub fn ahead(&self, real: Timestamp) -> Duration {
        let ahead = self.time(real).0.saturating_sub(real.0);
        Duration::from_micros(u64::try_from(ahead).unwrap_or_default())
    }

    /// When a moment by this clock comes by the real one, if the clock is not moved before.
    pub fn in_real_time(&self, moment: Timestamp, real: Timestamp) -> Timestamp {
        let wait = moment.0.saturating_sub(self.time(real).0);
        Timestamp(real.0.saturating_add(wait))
    }

    /// The clock as it begins to move to `target`: it stands still, and is then set from moment to
    /// moment.
    pub fn advancing(self, target: Timestamp, real: Timestamp) -> Result<Self, Unmoved> {
        if let Some(target) = self.target {
            return Err(Unmoved::Moving(target));
        }
        let now = self.time(real);
        if target <= now {
            return Err(Unmoved::NotLater);
        }
        if target > now.plus(ADVANCE_MAX) || target > real.plus(AHEAD_MAX) {
            return Err(Unmoved::TooFar);
        }
        Ok(Self { floor: now, target: Some(target), ..self })
    }

    /// The clock as it runs on from its target. Where reaching that took longer than the way is, it
    /// shows what it would have shown without having been moved.
    #[must_use]
    pub fn arrived(self, real: Timestamp) -> Self {
        let Some(target) = self.target else { return self };
        let offset = self.offset.max(target.0.saturating_sub(real.0));
        Self { offset, floor: target, target: None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plasma_kit::Timestamp;

    use super::{ADVANCE_MAX, AHEAD_MAX, Clock, Unmoved};

    const REAL: Timestamp = Timestamp(1_800_000_000_000_000);
    const DAY: Duration = Duration::from_hours(24);

    #[test]
    fn a_clock_stands_while_it_moves_and_runs_on_from_its_target() {
        let target = REAL.plus(DAY);
        let moving = Clock::REAL.advancing(target, REAL).unwrap();
        assert_eq!(moving.time(REAL.plus(DAY * 9)), REAL);
        assert_eq!(moving.ahead(REAL.plus(DAY)), Duration::ZERO);
        let second = Duration::from_secs(1);
        let arrived = moving.arrived(REAL.plus(second));
        assert_eq!(arrived.time(REAL.plus(second)), target);
        assert_eq!(arrived.time(REAL.plus(second * 5)), target.plus(second * 4));
        assert_eq!(arrived.ahead(REAL.plus(second)) + second, DAY);
        // Another node's real time is a little behind.
        assert_eq!(arrived.time(REAL), target);
        assert_eq!(
            arrived.in_real_time(target.plus(DAY), REAL.plus(second)),
            REAL.plus(DAY + second)
        );
    }

    #[test]
    fn a_way_that_took_longer_than_it_is_takes_no_time_away() {
        let moving = Clock::REAL.advancing(REAL.plus(Duration::from_secs(1)), REAL).unwrap();
        assert_eq!(moving.arrived(REAL.plus(DAY)).time(REAL.plus(DAY)), REAL.plus(DAY));
    }

    #[test]
    fn a_clock_goes_forward_only_one_way_at_a_time_and_not_too_far() {
        let micro = Duration::from_micros(1);
        let advancing = |target| Clock::REAL.advancing(target, REAL);
        assert_eq!(advancing(REAL), Err(Unmoved::NotLater));
        assert_eq!(advancing(REAL.minus(micro)), Err(Unmoved::NotLater));
        assert!(advancing(REAL.plus(micro)).is_ok());
        assert!(advancing(REAL.plus(ADVANCE_MAX)).is_ok());
        assert_eq!(advancing(REAL.plus(ADVANCE_MAX + micro)), Err(Unmoved::TooFar));
        let moving = advancing(REAL.plus(DAY)).unwrap();
        assert_eq!(
            moving.advancing(REAL.plus(DAY * 2), REAL),
            Err(Unmoved::Moving(REAL.plus(DAY)))
        );
        let far = Clock { offset: plasma_kit::env::micros(AHEAD_MAX), ..Clock::REAL };
        assert_eq!(far.advancing(far.time(REAL).plus(micro), REAL), Err(Unmoved::TooFar));
    }
}
