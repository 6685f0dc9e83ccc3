//! How an account begins, the first time and after a reset.

use plasma_identity::{DeviceCertificate, Manifest, RootPublicKey, UserAddress, verify_first};

use super::identity_cause::IdentityCause;
use super::refusal::Refusal;

/// An account's beginning, verified: a root key, one device, and the manifest that lists it.
#[derive(Debug, Clone)]
pub struct Founding {
    root: RootPublicKey,
    manifest: Manifest,
    certificate: DeviceCertificate,
}

impl Founding {
    /// The root public key.
    pub fn root(&self) -> &RootPublicKey {
        &self.root
    }

    /// The first manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The first device.
    pub fn certificate(&self) -> &DeviceCertificate {
        &self.certificate
    }
}

/// Verifies the beginning of `user`'s account. `now` is in unix seconds.
pub fn found(
    user: UserAddress,
    root: RootPublicKey,
    manifest: Manifest,
    certificate: DeviceCertificate,
    now: u64,
) -> Result<Founding, Refusal> {
    let devices = verify_first(user, &root, &manifest, &[certificate], now)?;
    if devices.len() != 1 {
        return Err(IdentityCause::NotOneAddition.into());
    }
    Ok(Founding { root, manifest, certificate })
}
