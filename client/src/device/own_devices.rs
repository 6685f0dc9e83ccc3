//! This user's own devices: which there are, what they are called, and taking one away.

use std::fmt;

use plasma_identity::DeviceCertificate;
use plasma_proto::content::v1::content::Body;
use uuid::Uuid;

use super::Device;
use super::manifests::Change;
use crate::error::Error;
use crate::store::device_names::{self, NamedDevice};

/// A device of this user, as the signed list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnDevice {
    /// The device.
    pub id: Uuid,
    /// What it is called, if any of the user's devices has said so. The service does not know it.
    pub name: Option<String>,
    /// Whether it may add and remove devices.
    pub may_approve: bool,
    /// Whether it is this one.
    pub is_this_device: bool,
    /// When it was certified, unix seconds.
    pub add_seconds: u64,
}

impl fmt::Display for OwnDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_deref().unwrap_or("a device without a name");
        f.write_str(name)?;
        if self.is_this_device { f.write_str(" (this one)") } else { Ok(()) }
    }
}

impl Device {
    /// Lists this user's devices as this device has verified them, the oldest first.
    pub fn devices(&self) -> Result<Vec<OwnDevice>, Error> {
        let own = self.own_account()?;
        let names = self.inner.store.read(device_names::list)?;
        let describe = |certificate: &DeviceCertificate| {
            let id = certificate.address().device;
            OwnDevice {
                id,
                name: names.iter().find(|told| told.device == id).map(|told| told.name.clone()),
                may_approve: certificate.may_approve(),
                is_this_device: id == self.address().device,
                add_seconds: certificate.not_before(),
            }
        };
        let mut devices: Vec<_> = own.devices().iter().map(describe).collect();
        devices.sort_by_key(|device| (device.add_seconds, device.id));
        Ok(devices)
    }

    /// Removes a device of this user: nothing is sent to it any more, what is queued for it is
    /// deleted, and its streams end within 5 seconds. A device that is gone already is no failure.
    ///
    /// Only an approver can; whoever holds the recovery key can with [`Device::cut_off`].
    pub async fn revoke_device(&self, id: Uuid) -> Result<(), Error> {
        if self.own_account()?.device(id).is_none() {
            let own = self.refresh_account(self.user()).await?.known.account;
            if own.device(id).is_none() {
                return Ok(());
            }
        }
        self.change_account(&Change::Remove(id)).await?;
        Ok(())
    }

    /// Renames a device of this user, on all of them. 1 to 64 bytes, nothing that hides text. Kept
    /// and repeated like a message until the service has taken it for the other devices.
    pub async fn rename_device(&self, id: Uuid, name: &str) -> Result<(), Error> {
        if !device_names::is_valid(name) {
            return Err(Error::InvalidDeviceName);
        }
        let set_micros = self.inner.env.now_micros();
        let named = NamedDevice { device: id, name: name.to_owned(), set_micros };
        self.send_own(None, Body::DeviceName(named.to_content())).await?;
        Ok(())
    }
}
