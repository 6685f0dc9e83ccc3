//! The two ends of an exchange, as far as a manifest certifies them.

use plasma_identity::{DeviceAddress, DeviceCertificate, VerifiedAccount};
use uuid::Uuid;

use crate::device_keys::DeviceKeys;
use crate::error::ParticipantError;

/// This device: its keys, its certificate and its own account.
#[derive(Clone, Copy, Debug)]
pub struct LocalDevice<'a> {
    pub(crate) keys: &'a DeviceKeys,
    pub(crate) certificate: &'a DeviceCertificate,
    pub(crate) account: &'a VerifiedAccount,
}

/// A device to send to: its certificate and its account, another user's or one's own.
#[derive(Clone, Copy, Debug)]
pub struct RemoteDevice<'a> {
    pub(crate) certificate: &'a DeviceCertificate,
    pub(crate) account: &'a VerifiedAccount,
}

impl<'a> LocalDevice<'a> {
    /// Finds the keys' certificate in the current manifest of one's own account.
    pub fn new(
        keys: &'a DeviceKeys,
        account: &'a VerifiedAccount,
    ) -> Result<Self, ParticipantError> {
        let certificate = certified(account, keys.address().device)?;
        if !keys.match_certificate(certificate) {
            return Err(ParticipantError::WrongKeys);
        }
        Ok(Self { keys, certificate, account })
    }

    /// Returns this device's address.
    pub fn address(&self) -> DeviceAddress {
        self.keys.address()
    }
}

impl<'a> RemoteDevice<'a> {
    /// Finds a device in the current manifest of an account.
    pub fn new(account: &'a VerifiedAccount, device: Uuid) -> Result<Self, ParticipantError> {
        Ok(Self { certificate: certified(account, device)?, account })
    }

    /// Returns the device's address.
    pub fn address(&self) -> DeviceAddress {
        self.certificate.address()
    }
}

fn certified(
    account: &VerifiedAccount,
    device: Uuid,
) -> Result<&DeviceCertificate, ParticipantError> {
    account.device(device).ok_or(ParticipantError::Uncertified)
}
