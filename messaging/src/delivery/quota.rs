//! How much may wait for one device, and how much does: a count in the store reads every envelope
//! that waits, so that it is made anew only where it could matter.

use std::time::{Duration, Instant};

use moka::sync::Cache;

use super::parcel::DeviceKey;

/// Most envelopes that may wait for one device.
const ENVELOPES_MAX: u64 = 10_000;
/// Most bytes that may wait for one device.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How old a count may be: a device may exceed its quota by what other nodes store meanwhile.
const AGE_MAX: Duration = Duration::from_secs(2);
/// How old a count may be that is far below the quota: so far that the nodes of a large service, each
/// with a count of its own, do not exceed it together.
const FAR_AGE_MAX: Duration = Duration::from_secs(30);
/// This part of the quota is far below it.
const FAR: u64 = 16;

/// How much waits for a device, as counted in the store once, and with what was stored since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    envelopes: u64,
    bytes: u64,
    counted_at: Instant,
}

impl Tally {
    /// Begins with a count: envelopes and bytes.
    pub(super) fn new((envelopes, bytes): (u64, u64), counted_at: Instant) -> Self {
        Self { envelopes, bytes, counted_at }
    }

    /// Adds an envelope; `false` where it is too much.
    pub(super) fn admit(&mut self, bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if self.envelopes >= ENVELOPES_MAX || bytes > BYTES_MAX {
            return false;
        }
        self.envelopes += 1;
        self.bytes = bytes;
        true
    }

    fn holds(&self, now: Instant) -> bool {
        let is_far = self.envelopes < ENVELOPES_MAX / FAR && self.bytes < BYTES_MAX / FAR;
        let age_max = if is_far { FAR_AGE_MAX } else { AGE_MAX };
        now.saturating_duration_since(self.counted_at) < age_max
    }
}

/// The tallies of the devices for which something was stored lately.
#[derive(Debug)]
pub(super) struct Quota {
    tallies: Cache<DeviceKey, Tally>,
}

impl Quota {
    pub(super) fn new() -> Self {
        let tallies = Cache::builder().max_capacity(100_000).time_to_live(FAR_AGE_MAX).build();
        Self { tallies }
    }

    /// The tally of a device; `None` where there must be a count.
    pub(super) fn tally(&self, device: DeviceKey, now: Instant) -> Option<Tally> {
        self.tallies.get(&device).filter(|tally| tally.holds(now))
    }

    pub(super) fn keep(&self, device: DeviceKey, tally: Tally) {
        self.tallies.insert(device, tally);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_has_a_count_and_a_size() {
        let now = Instant::now();
        assert!(Tally::new((ENVELOPES_MAX - 1, 0), now).admit(1));
        assert!(!Tally::new((ENVELOPES_MAX, 0), now).admit(1));
        assert!(Tally::new((0, BYTES_MAX - 1), now).admit(1));
        assert!(!Tally::new((0, BYTES_MAX - 1), now).admit(2));
        let mut tally = Tally::new((ENVELOPES_MAX - 2, 0), now);
        assert!(tally.admit(1) && tally.admit(1) && !tally.admit(1));
    }

    #[test]
    fn a_count_ages_however_often_it_is_used() {
        let now = Instant::now();
        let device = crate::delivery::parcel::tests::parcel(1, 1).to;
        let quota = Quota::new();
        quota.keep(device, Tally::new((0, 0), now));
        for second in 0..30 {
            let mut tally = quota.tally(device, now + Duration::from_secs(second)).unwrap();
            assert!(tally.admit(1));
            quota.keep(device, tally);
        }
        assert_eq!(quota.tally(device, now + FAR_AGE_MAX), None);
    }

    #[test]
    fn near_the_quota_a_count_is_young() {
        let now = Instant::now();
        for count in [(ENVELOPES_MAX / FAR, 0), (0, BYTES_MAX / FAR), (ENVELOPES_MAX, BYTES_MAX)] {
            let tally = Tally::new(count, now);
            assert!(tally.holds(now + AGE_MAX / 2), "{count:?}");
            assert!(!tally.holds(now + AGE_MAX), "{count:?}");
        }
    }
}
