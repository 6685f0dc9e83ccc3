//! Whether a message is sealed for exactly the devices that must have it.

use plasma_kit::ids::DeviceId;

/// The devices of a user, as the manifest in force says.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The manifest's hash.
    pub manifest_hash: &'a [u8],
    /// The user's devices.
    pub devices: &'a [DeviceId],
    /// The one that needs no envelope, where the sender is one of them.
    pub sender: Option<DeviceId>,
}

impl Expected<'_> {
    fn wants(&self, device: DeviceId) -> bool {
        Some(device) != self.sender && self.devices.contains(&device)
    }
}

/// The devices for which a sender sealed a message.
#[derive(Debug, Clone, Copy)]
pub struct Sealed<'a> {
    /// The hash of the manifest that the sender knows.
    pub manifest_hash: &'a [u8],
    /// The devices that have an envelope, in the order of the request.
    pub devices: &'a [DeviceId],
}

/// What is wrong with a sender's view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Devices without an envelope.
    pub missing: Vec<DeviceId>,
    /// Envelopes without a device.
    pub extra: Vec<DeviceId>,
}

/// Compares a sender's view of a user with the manifest in force. `None`: they agree.
pub fn compare(expected: Expected<'_>, sealed: Sealed<'_>) -> Option<Mismatch> {
    // Ten devices at most on either side: looking along the list is the quickest.
    let is_missing =
        |device: &DeviceId| expected.wants(*device) && !sealed.devices.contains(device);
    let missing: Vec<DeviceId> = expected.devices.iter().copied().filter(is_missing).collect();
    let extra: Vec<DeviceId> =
        sealed.devices.iter().copied().filter(|device| !expected.wants(*device)).collect();
    let agree =
        missing.is_empty() && extra.is_empty() && expected.manifest_hash == sealed.manifest_hash;
    (!agree).then_some(Mismatch { missing, extra })
}

/// The first device that a list names twice.
pub fn repeated(devices: &[DeviceId]) -> Option<usize> {
    (0..devices.len()).find(|place| devices[..*place].contains(&devices[*place]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use plasma_kit::ids::DeviceId;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{Expected, Sealed, compare, repeated};

    fn devices(numbers: &[u8]) -> Vec<DeviceId> {
        numbers.iter().map(|number| DeviceId(Uuid::from_u128(u128::from(*number) + 1))).collect()
    }

    #[test]
    fn another_manifest_is_a_mismatch_even_for_the_same_devices() {
        let list = devices(&[1, 2]);
        let expected = Expected { manifest_hash: b"a", devices: &list, sender: None };
        assert_eq!(compare(expected, Sealed { manifest_hash: b"a", devices: &list }), None);
        let other = compare(expected, Sealed { manifest_hash: b"b", devices: &list }).unwrap();
        assert!(other.missing.is_empty() && other.extra.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_missing_and_what_is_too_much_make_the_difference(
            there in prop::collection::btree_set(0_u8..12, 0..10),
            given in prop::collection::btree_set(0_u8..12, 0..10),
            sender in prop::option::of(0_u8..12),
        ) {
            let all = devices(&there.iter().copied().collect::<Vec<_>>());
            let list = devices(&given.iter().copied().collect::<Vec<_>>());
            let sender = sender.map(|sender| devices(&[sender])[0]);
            let set: BTreeSet<_> =
                all.iter().copied().filter(|device| Some(*device) != sender).collect();
            let expected = Expected { manifest_hash: b"", devices: &all, sender };
            match compare(expected, Sealed { manifest_hash: b"", devices: &list }) {
                None => prop_assert_eq!(set, list.into_iter().collect()),
                Some(mismatch) => {
                    let mut mended: BTreeSet<_> = list.iter().copied().collect();
                    mended.extend(mismatch.missing);
                    for device in mismatch.extra {
                        prop_assert!(mended.remove(&device));
                    }
                    prop_assert_eq!(mended, set);
                }
            }
        }

        #[test]
        fn a_repeated_device_is_found(numbers in prop::collection::vec(0_u8..6, 0..10)) {
            let list = devices(&numbers);
            let different: BTreeSet<_> = list.iter().collect();
            prop_assert_eq!(repeated(&list).is_none(), different.len() == list.len());
        }
    }
}
