//! Who is meant: a user of a tenant, and one device of that user.

use core::fmt;

use uuid::Uuid;

use crate::encoding::{DecodeError, Reader};

/// A user of a tenant.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct UserAddress {
    /// The platform that vouches for the user.
    pub tenant: Uuid,
    /// The user within the tenant.
    pub user: Uuid,
}

/// One installation of a user. A device id is random and never reused.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DeviceAddress {
    /// The platform that vouches for the user.
    pub tenant: Uuid,
    /// The user within the tenant.
    pub user: Uuid,
    /// The device of the user.
    pub device: Uuid,
}

impl UserAddress {
    /// Length of the encoding: tenant ‖ user.
    pub const LENGTH: usize = 32;

    /// Names a device of this user.
    pub fn device(self, device: Uuid) -> DeviceAddress {
        DeviceAddress { tenant: self.tenant, user: self.user, device }
    }

    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.tenant.as_bytes());
        out.extend_from_slice(self.user.as_bytes());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { tenant: reader.uuid()?, user: reader.uuid()? })
    }
}

impl DeviceAddress {
    /// Length of the encoding: tenant ‖ user ‖ device.
    pub const LENGTH: usize = 48;

    /// Names the user whose device this is.
    pub fn user_address(self) -> UserAddress {
        UserAddress { tenant: self.tenant, user: self.user }
    }

    /// Encodes tenant ‖ user ‖ device.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let mut out = [0; Self::LENGTH];
        out[..16].copy_from_slice(self.tenant.as_bytes());
        out[16..32].copy_from_slice(self.user.as_bytes());
        out[32..].copy_from_slice(self.device.as_bytes());
        out
    }

    /// Reads tenant ‖ user ‖ device.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(UserAddress::read(reader)?.device(reader.uuid()?))
    }
}

impl fmt::Display for UserAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.user)
    }
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.user, self.device)
    }
}
