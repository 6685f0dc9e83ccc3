//! Time, ids and randomness as one argument, so that tests can set them and nothing else reaches
//! for a global.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// A moment in microseconds since 1970, as the tables keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and `duration` more; the end of time where that overflows.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// This moment less `duration`.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}

/// Microseconds of a duration, capped.
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The clock, and the source of ids and randomness.
///
/// The clock follows the database's: [`Env::follow`] sets the offset of this machine, so that
/// nodes with wrong clocks agree on what has expired.
#[derive(Debug, Clone, Default)]
pub struct Env {
    offset_micros: Arc<AtomicI64>,
}

impl Env {
    /// The environment of this machine.
    pub fn system() -> Self {
        Self::default()
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        Timestamp(system_micros() + self.offset_micros.load(Ordering::Relaxed))
    }

    /// Sets the clock so that it shows `reference` now.
    pub fn follow(&self, reference: Timestamp) {
        self.offset_micros.store(reference.0 - system_micros(), Ordering::Relaxed);
    }

    /// A new time-ordered id (`UUIDv7`).
    pub fn uuid(&self) -> Uuid {
        self.uuid_of(self.now())
    }

    /// A new id (`UUIDv7`) of something that happened at a time. Ids sort as their times do, to the
    /// microsecond: those below a millisecond are in the twelve bits after it (RFC 9562, 6.2,
    /// method 3).
    pub fn uuid_of(&self, time: Timestamp) -> Uuid {
        let micros = u64::try_from(time.0).unwrap_or_default();
        let (seconds, below) = (micros / 1_000_000, micros % 1_000_000);
        let nanos = u32::try_from(below * 1_000).unwrap_or_default();
        let id = Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanos));
        let fraction = u16::try_from(below % 1_000 * 4_096 / 1_000).unwrap_or_default();
        let mut bytes = id.into_bytes();
        bytes[6..8].copy_from_slice(&(0x7000 | fraction).to_be_bytes());
        Uuid::from_bytes(bytes)
    }

    /// Random bytes of the operating system.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }
}

fn system_micros() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(0, micros)
}

#[cfg(test)]
mod tests {
    use super::{Env, Timestamp};

    #[test]
    fn the_clock_follows_its_reference() {
        let env = Env::system();
        env.follow(Timestamp(1_000_000_000));
        let shown = env.now().0 - 1_000_000_000;
        assert!((0..5_000_000).contains(&shown), "{shown}");
    }

    #[test]
    fn ids_differ_and_are_version_7() {
        let env = Env::system();
        let (one, two) = (env.uuid(), env.uuid());
        assert_ne!(one, two);
        assert_eq!(one.get_version_num(), 7);
        assert_eq!(one.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn ids_sort_as_their_times_to_the_microsecond() {
        let env = Env::system();
        let begin = env.now().0 / 1_000 * 1_000;
        let ids: Vec<_> = (begin..begin + 2_000).map(|time| env.uuid_of(Timestamp(time))).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
        let (seconds, nanos) = ids[1_999].get_timestamp().unwrap().to_unix();
        assert_eq!(seconds, u64::try_from(begin).unwrap() / 1_000_000);
        assert_eq!(u64::from(nanos) / 1_000_000, u64::try_from(begin).unwrap() / 1_000 % 1_000 + 1);
    }
}
