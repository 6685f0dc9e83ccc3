//! The devices that a message for a user must be sealed for.

use plasma_kit::ids::DeviceId;

/// A user's devices as the manifest in force lists them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSet {
    /// Names the manifest.
    pub manifest_hash: [u8; 32],
    /// The manifest's epoch.
    pub epoch: u64,
    /// The devices, ascending.
    pub devices: Vec<DeviceId>,
}

impl DeviceSet {
    /// Puts the devices in order.
    pub fn new(manifest_hash: [u8; 32], epoch: u64, mut devices: Vec<DeviceId>) -> Self {
        devices.sort_unstable();
        Self { manifest_hash, epoch, devices }
    }

    /// Whether the device is one of them.
    pub fn contains(&self, device: DeviceId) -> bool {
        self.devices.binary_search(&device).is_ok()
    }
}
