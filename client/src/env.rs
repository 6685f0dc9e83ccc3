//! Time, ids and randomness of a device as one argument, so that tests can set the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use getrandom::SysRng;
use rand_core::{Rng, UnwrapErr};
use uuid::{NoContext, Timestamp, Uuid};

/// The device's clock and source of ids and randomness.
#[derive(Debug, Clone, Default)]
pub struct Env {
    offset_micros: Arc<AtomicI64>,
}

impl Env {
    /// The environment of this machine.
    pub fn system() -> Self {
        Self::default()
    }

    /// Moves the clock; what a wrong clock does is for tests to find out.
    pub fn move_clock(&self, micros: i64) {
        self.offset_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Microseconds since 1970.
    pub fn now_micros(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
        let now = SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        micros.saturating_add(self.offset_micros.load(Ordering::Relaxed))
    }

    /// Whole seconds since 1970, as the protocol counts them.
    pub fn now_seconds(&self) -> u64 {
        u64::try_from(self.now_micros().div_euclid(1_000_000)).unwrap_or(0)
    }

    /// A new time-ordered id (`UUIDv7`).
    pub fn time_ordered_id(&self) -> Uuid {
        let micros = self.now_micros();
        let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
        Uuid::new_v7(Timestamp::from_unix(NoContext, self.now_seconds(), nanos))
    }

    /// 128 random bits, for ids that say nothing about when they were made.
    pub fn random_id(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.rng().fill_bytes(&mut bytes);
        Uuid::from_bytes(bytes)
    }

    /// An idempotency key that nobody has used.
    pub fn request_id(&self) -> String {
        self.random_id().simple().to_string()
    }

    /// The operating system's randomness.
    pub fn rng(&self) -> UnwrapErr<SysRng> {
        UnwrapErr(SysRng)
    }

    /// `duration` more or less by up to a quarter, so that many devices do not act at once.
    pub fn jittered(&self, duration: Duration) -> Duration {
        let permille = 750 + self.rng().next_u32() % 501;
        duration * permille / 1_000
    }
}
