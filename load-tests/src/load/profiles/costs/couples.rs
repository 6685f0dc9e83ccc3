//! Who writes to whom while costs are measured: couples that share nobody, at a distance that puts
//! the two on one node or on two. Devices begin with one node each in turn.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, ensure};
use futures::{StreamExt, stream};

use crate::traffic::{Device, OpaqueDevice};

/// One who writes, and one who is written to.
#[derive(Debug, Clone)]
pub(super) struct Couple {
    pub(super) from: Arc<OpaqueDevice>,
    pub(super) to: Arc<OpaqueDevice>,
}

impl Couple {
    /// Whether the two have a chat already.
    pub(super) fn has_chat(one: &OpaqueDevice, other: &OpaqueDevice) -> bool {
        one.chat_with(other.number()).is_some()
    }

    async fn write(self) {
        if let Some(chat) = self.from.chat_with(self.to.number()) {
            self.from.send(chat, Instant::now()).await;
        }
    }
}

/// The devices that write random bytes.
pub(super) fn opaque(devices: &[Device]) -> Vec<Arc<OpaqueDevice>> {
    let opaque = devices.iter().filter_map(|device| match device {
        Device::Opaque(device) => Some(Arc::clone(device)),
        Device::Sealed(_) => None,
    });
    opaque.collect()
}

/// Makes couples of devices so far apart, of those that no couple has yet.
pub(super) fn take(
    devices: &[Arc<OpaqueDevice>],
    taken: &mut BTreeSet<usize>,
    distance: usize,
    count: usize,
    fits: impl Fn(&OpaqueDevice, &OpaqueDevice) -> bool,
) -> Vec<Couple> {
    let places = places(devices.len(), taken, distance, count, |one, other| {
        fits(&devices[one], &devices[other])
    });
    let couple = |[one, other]: [usize; 2]| Couple {
        from: Arc::clone(&devices[one]),
        to: Arc::clone(&devices[other]),
    };
    places.into_iter().map(couple).collect()
}

fn places(
    devices: usize,
    taken: &mut BTreeSet<usize>,
    distance: usize,
    count: usize,
    fits: impl Fn(usize, usize) -> bool,
) -> Vec<[usize; 2]> {
    let mut couples = Vec::new();
    for one in 0..devices.saturating_sub(distance) {
        let other = one + distance;
        let is_free = couples.len() < count && !taken.contains(&one) && !taken.contains(&other);
        if is_free && fits(one, other) {
            taken.extend([one, other]);
            couples.push([one, other]);
        }
    }
    couples
}

/// Has couples write so many messages in turn, some under way at a time and none twice.
pub(super) async fn write(couples: &[Couple], messages: usize, in_flight: usize) -> Result<()> {
    ensure!(!couples.is_empty(), "there are too few devices to measure costs; take more --devices");
    let turns = stream::iter(couples.iter().cycle().take(messages).cloned().map(Couple::write));
    let in_flight = in_flight.min(couples.len());
    turns.buffer_unordered(in_flight).for_each(|()| std::future::ready(())).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::places;

    #[test]
    fn couples_share_nobody_and_are_as_far_apart_as_asked() {
        let mut taken = BTreeSet::new();
        let near = places(20, &mut taken, 3, 4, |_, _| true);
        assert_eq!(near, [[0, 3], [1, 4], [2, 5], [6, 9]]);
        let far = places(20, &mut taken, 1, 3, |one, _| one != 10);
        assert_eq!(far, [[7, 8], [11, 12], [13, 14]]);
        assert_eq!(taken.len(), 14);
        assert!(places(2, &mut BTreeSet::new(), 5, 1, |_, _| true).is_empty());
    }
}
