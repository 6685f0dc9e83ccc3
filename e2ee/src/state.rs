//! Type and version bytes of stored private state, which never leaves the device.

/// Version of every stored structure but session records, which have one of their own.
pub(crate) const VERSION: u8 = 1;

/// First byte of each stored structure.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum StateType {
    RootKey = 0x40,
    DeviceKeys = 0x41,
    PrivatePrekey = 0x42,
    SessionRecord = 0x43,
}
