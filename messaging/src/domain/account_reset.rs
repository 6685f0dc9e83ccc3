//! A reset of an account: asked for on the platform's word, cancelled by any device, carried out
//! when its delay is over.

use std::time::Duration;

use plasma_kit::Timestamp;

/// How long a reset can be carried out once its delay is over.
const OPEN_FOR: Duration = Duration::from_hours(7 * 24);

/// A reset that was asked for. Its times are fixed at the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountReset {
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// From when on it can be carried out.
    pub effective_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
}

impl AccountReset {
    /// A reset that is asked for at `now` and can be cancelled for `delay`.
    pub fn new(now: Timestamp, delay: Duration) -> Self {
        let effective_at = now.plus(delay);
        Self { requested_at: now, effective_at, expires_at: effective_at.plus(OPEN_FOR) }
    }

    /// Whether it still stands.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    /// Checks that it can be carried out.
    pub fn check_due(&self, now: Timestamp) -> Result<(), NotDue> {
        if now < self.effective_at {
            return Err(NotDue::Pending(self.effective_at));
        }
        if self.is_pending(now) { Ok(()) } else { Err(NotDue::Expired) }
    }
}

/// Why a reset cannot be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotDue {
    /// Nobody asked for it, or a device cancelled it.
    #[error("it was not asked for, or a device cancelled it")]
    NotRequested,
    /// Its delay is not over until then.
    #[error("the devices can still cancel it")]
    Pending(Timestamp),
    /// It was asked for too long ago.
    #[error("it was asked for too long ago; ask again")]
    Expired,
}

impl NotDue {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotRequested => "not_requested",
            Self::Pending(_) => "pending",
            Self::Expired => "expired",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_due_from_its_effective_time_until_it_expires() {
        let reset = AccountReset::new(Timestamp(0), Duration::from_secs(10));
        let at = |seconds: i64| reset.check_due(Timestamp(seconds * 1_000_000));
        assert_eq!(at(9), Err(NotDue::Pending(Timestamp(10_000_000))));
        assert_eq!(at(10), Ok(()));
        let week = 7 * 24 * 60 * 60;
        assert_eq!(at(week + 9), Ok(()));
        assert_eq!(at(week + 10), Err(NotDue::Expired));
    }
}
