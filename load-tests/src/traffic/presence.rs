//! Whether a device is there: what is due meanwhile must come at once, and what was due before is
//! caught up with. A connection that breaks does not end the presence, so that what is late
//! because of it counts as late.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::meters::Meters;

/// Whether a device is there.
#[derive(Debug)]
pub(super) struct Presence {
    /// Since it had caught up for the first time after it was told to come.
    since: Mutex<Option<Instant>>,
    /// Whether its stream is open and nothing from before is waiting.
    is_ready: watch::Sender<bool>,
}

impl Default for Presence {
    fn default() -> Self {
        Self { since: Mutex::default(), is_ready: watch::Sender::new(false) }
    }
}

impl Presence {
    /// Everything from before has come.
    pub(super) fn ready(&self) {
        self.since().get_or_insert_with(Instant::now);
        self.is_ready.send_replace(true);
    }

    /// The stream has ended.
    pub(super) fn interrupted(&self) {
        self.is_ready.send_replace(false);
    }

    /// The device was told to leave.
    pub(super) fn left(&self) {
        *self.since() = None;
        self.is_ready.send_replace(false);
    }

    /// Waits until everything from before has come; `false` where that takes too long.
    pub(super) async fn until_ready(&self, at_most: Duration) -> bool {
        let mut is_ready = self.is_ready.subscribe();
        let ready = is_ready.wait_for(|is_ready| *is_ready);
        tokio::time::timeout(at_most, ready).await.is_ok_and(|ready| ready.is_ok())
    }

    /// Measures the first arrival of a message that was due some time ago.
    pub(super) fn measure(&self, meters: &Meters, after: Duration) {
        let was_there = self.since().is_some_and(|since| since.elapsed() >= after);
        if was_there { meters.delivered(after) } else { meters.caught_up(after) }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Presence;
    use crate::meters::Meters;

    #[test]
    fn what_was_due_before_the_device_was_there_is_caught_up_with() {
        let (presence, meters) = (Presence::default(), Meters::default());
        let counts = || {
            let readings = meters.readings();
            (readings.delivery.count(), readings.caught_up.count())
        };
        presence.measure(&meters, Duration::ZERO);
        assert_eq!(counts(), (0, 1));
        presence.ready();
        std::thread::sleep(Duration::from_millis(5));
        presence.measure(&meters, Duration::from_millis(1));
        presence.measure(&meters, Duration::from_hours(1));
        assert_eq!(counts(), (1, 2));
        // What a broken connection delays is late.
        presence.interrupted();
        presence.measure(&meters, Duration::from_millis(2));
        assert_eq!(counts(), (2, 2));
        presence.left();
        presence.measure(&meters, Duration::ZERO);
        assert_eq!(counts(), (2, 3));
    }
}
