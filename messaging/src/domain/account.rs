//! How an account begins and how a device joins it.

use plasma_identity::{
    DeviceCertificate, Issuer, MAX_DEVICES, Manifest, RootPublicKey, UserAddress, verify_first,
    verify_successor,
};
use uuid::Uuid;

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

/// What the service holds of an account.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The root public key.
    pub root: RootPublicKey,
    /// The manifest in force.
    pub manifest: Manifest,
    /// Certificates of every device that a manifest ever named.
    pub certificates: Vec<DeviceCertificate>,
}

impl Standing {
    /// Splits the certificates into those of the manifest in force and former ones.
    fn devices(&self) -> (Vec<DeviceCertificate>, Vec<DeviceCertificate>) {
        let listed = &self.manifest.statement().certificates;
        self.certificates.iter().partition(|certificate| listed.contains(&certificate.hash()))
    }

    /// Whether the account has as many devices as a manifest can list.
    pub fn is_full(&self) -> bool {
        self.manifest.statement().certificates.len() >= MAX_DEVICES
    }

    /// Whether the manifest in force is `next` and lists `certificate`: a retry.
    pub fn is_already(&self, next: &Manifest, certificate: &DeviceCertificate) -> bool {
        let listed = &self.manifest.statement().certificates;
        self.manifest.hash() == next.hash() && listed.contains(&certificate.hash())
    }
}

/// A device's joining, verified.
#[derive(Debug, Clone)]
pub struct Succession {
    previous: [u8; 32],
    manifest: Manifest,
    certificate: DeviceCertificate,
}

impl Succession {
    /// The hash of the manifest that this one replaces.
    pub fn previous(&self) -> &[u8; 32] {
        &self.previous
    }

    /// The manifest that is to be in force.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The new device.
    pub fn certificate(&self) -> &DeviceCertificate {
        &self.certificate
    }
}

/// Verifies that `caller`, an approver, certified exactly one more device. `now` is in unix
/// seconds.
pub fn succeed(
    standing: &Standing,
    caller: Uuid,
    next: Manifest,
    new: DeviceCertificate,
    now: u64,
) -> Result<Succession, Refusal> {
    let (devices, former) = standing.devices();
    let is_caller = |device: &&DeviceCertificate| device.address().device == caller;
    if !devices.iter().find(is_caller).is_some_and(DeviceCertificate::may_approve) {
        return Err(IdentityCause::CallerNotApprover.into());
    }
    if next.statement().previous != standing.manifest.hash() {
        return Err(Refusal::ManifestConflict);
    }
    let by_caller = Issuer::Device(caller);
    if next.statement().signer != by_caller || new.issuer() != by_caller {
        return Err(IdentityCause::NotSignedByCaller.into());
    }
    verify_successor(&standing.root, &standing.manifest, &devices, &former, &next, &[new], now)?;
    let mut expected: Vec<_> = devices.iter().map(DeviceCertificate::hash).collect();
    expected.push(new.hash());
    expected.sort_unstable();
    if next.statement().certificates != expected {
        return Err(IdentityCause::NotOneAddition.into());
    }
    Ok(Succession { previous: standing.manifest.hash().0, manifest: next, certificate: new })
}
