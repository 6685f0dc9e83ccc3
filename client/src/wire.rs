//! Between the contract's messages and the identities that the device verifies.

use plasma_identity::{DeviceAddress, DeviceCertificate, Manifest, RootPublicKey, UserAddress};
use plasma_proto::messaging::v1 as pb;
use prost_types::Timestamp;

use crate::error::Error;
use crate::id;

/// Writes a user's address.
pub fn user(address: UserAddress) -> pb::UserAddress {
    pb::UserAddress {
        tenant_id: id::format("tenant", address.tenant),
        user_id: id::format("user", address.user),
    }
}

/// Writes a device's address.
pub(crate) fn device(address: DeviceAddress) -> pb::DeviceAddress {
    pb::DeviceAddress {
        tenant_id: id::format("tenant", address.tenant),
        user_id: id::format("user", address.user),
        device_id: id::format("device", address.device),
    }
}

/// Reads a user's address.
pub fn read_user(address: Option<&pb::UserAddress>) -> Result<UserAddress, Error> {
    let address = address.ok_or(Error::Answer("user"))?;
    Ok(UserAddress {
        tenant: id::parse("tenant", &address.tenant_id)?,
        user: id::parse("user", &address.user_id)?,
    })
}

/// Reads a device's address.
pub(crate) fn read_device(address: Option<&pb::DeviceAddress>) -> Result<DeviceAddress, Error> {
    let address = address.ok_or(Error::Answer("device"))?;
    Ok(DeviceAddress {
        tenant: id::parse("tenant", &address.tenant_id)?,
        user: id::parse("user", &address.user_id)?,
        device: id::parse("device", &address.device_id)?,
    })
}

/// An account as the service states it: decoded, not yet verified.
#[derive(Debug, Clone)]
pub(crate) struct ClaimedAccount {
    pub(crate) user: UserAddress,
    pub(crate) root: RootPublicKey,
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) certificates: Vec<DeviceCertificate>,
}

impl ClaimedAccount {
    pub(crate) fn read(state: Option<&pb::AccountState>) -> Result<Self, Error> {
        let state = state.ok_or(Error::Answer("account"))?;
        let manifests = state.manifests.iter().map(|bytes| Manifest::from_bytes(bytes));
        let certificates =
            state.certificates.iter().map(|bytes| DeviceCertificate::from_bytes(bytes));
        Ok(Self {
            user: read_user(state.user.as_ref())?,
            root: RootPublicKey::from_bytes(&state.root_public_key)
                .map_err(|_| Error::Answer("account.root_public_key"))?,
            manifests: manifests
                .collect::<Result<_, _>>()
                .map_err(|_| Error::Answer("account.manifests"))?,
            certificates: certificates
                .collect::<Result<_, _>>()
                .map_err(|_| Error::Answer("account.certificates"))?,
        })
    }
}

/// Writes a moment in microseconds since 1970.
pub(crate) fn timestamp(micros: i64) -> Timestamp {
    Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0),
    }
}

/// Reads a moment as microseconds since 1970; 0 where unset.
pub(crate) fn micros(timestamp: Option<Timestamp>) -> i64 {
    timestamp.map_or(0, |timestamp| {
        timestamp
            .seconds
            .saturating_mul(1_000_000)
            .saturating_add(i64::from(timestamp.nanos) / 1_000)
    })
}
