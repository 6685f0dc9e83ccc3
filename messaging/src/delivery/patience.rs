//! How long a send waits for a device to acknowledge, so that a dozing phone does not tax every
//! sender.

use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::one::RefMut;
use plasma_kit::Timestamp;

use super::parcel::DeviceKey;

const WINDOW_MIN: Duration = Duration::from_millis(100);
const WINDOW_MAX: Duration = Duration::from_secs(1);
/// After a missed window the device is stored-to at once until it acknowledges again; this node
/// may not see that, and so it tries again after a while.
const MISSED_FOR: Duration = Duration::from_secs(5);
/// Most devices remembered; beyond it all are forgotten and waited for anew.
const DEVICES_MAX: usize = 200_000;

/// What this node has seen of devices' acknowledgements.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    devices: DashMap<DeviceKey, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    smoothed_micros: Option<i64>,
    missed_at: Option<Timestamp>,
}

impl Patience {
    /// How long to wait for the device: about twice its usual time. `None`: store at once.
    pub(crate) fn window(&self, device: DeviceKey, now: Timestamp) -> Option<Duration> {
        let Some(seen) = self.devices.get(&device) else {
            return Some(WINDOW_MAX);
        };
        if seen.missed_at.is_some_and(|missed_at| now < missed_at.plus(MISSED_FOR)) {
            return None;
        }
        let Some(smoothed) = seen.smoothed_micros else {
            return Some(WINDOW_MAX);
        };
        let twice = Duration::from_micros(u64::try_from(smoothed).unwrap_or_default() * 2);
        Some(twice.clamp(WINDOW_MIN, WINDOW_MAX))
    }

    /// Notes an acknowledgement in time.
    pub(crate) fn acknowledged(&self, device: DeviceKey, after: Duration) {
        let sample = plasma_kit::env::micros(after);
        let mut seen = self.seen(device);
        // The smoothing of TCP's round-trip time (RFC 6298): an eighth of each new sample.
        seen.smoothed_micros =
            Some(seen.smoothed_micros.map_or(sample, |old| old + (sample - old) / 8));
        seen.missed_at = None;
    }

    /// Notes that the device acknowledges again, however late.
    pub(crate) fn awake(&self, device: DeviceKey) {
        if let Some(mut seen) = self.devices.get_mut(&device) {
            seen.missed_at = None;
        }
    }

    /// Notes a missed window.
    pub(crate) fn missed(&self, device: DeviceKey, now: Timestamp) {
        self.seen(device).missed_at = Some(now);
    }

    fn seen(&self, device: DeviceKey) -> RefMut<'_, DeviceKey, Seen> {
        if let Some(seen) = self.devices.get_mut(&device) {
            return seen;
        }
        if self.devices.len() >= DEVICES_MAX {
            self.devices.clear();
        }
        self.devices.entry(device).or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plasma_kit::Timestamp;
    use plasma_kit::ids::{DeviceId, TenantId};
    use uuid::Uuid;

    use super::{MISSED_FOR, Patience, WINDOW_MAX, WINDOW_MIN};

    #[test]
    fn the_window_follows_the_device_within_its_bounds() {
        let patience = Patience::default();
        let device = (TenantId(Uuid::from_u128(1)), DeviceId(Uuid::from_u128(2)));
        let now = Timestamp(1_000_000_000);
        assert_eq!(patience.window(device, now), Some(WINDOW_MAX));
        patience.acknowledged(device, Duration::from_millis(200));
        assert_eq!(patience.window(device, now), Some(Duration::from_millis(400)));
        for _ in 0..100 {
            patience.acknowledged(device, Duration::from_millis(1));
        }
        assert_eq!(patience.window(device, now), Some(WINDOW_MIN));
    }

    #[test]
    fn a_missed_window_stores_at_once_until_the_device_is_awake() {
        let patience = Patience::default();
        let device = (TenantId(Uuid::from_u128(1)), DeviceId(Uuid::from_u128(2)));
        let now = Timestamp(1_000_000_000);
        patience.missed(device, now);
        assert_eq!(patience.window(device, now), None);
        assert!(patience.window(device, now.plus(MISSED_FOR)).is_some());
        patience.missed(device, now);
        patience.awake(device);
        assert!(patience.window(device, now).is_some());
    }
}
