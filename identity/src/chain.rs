//! One step along the chain of manifests: what a successor must satisfy.

use crate::MAX_CLOCK_SKEW_SECONDS;
use crate::address::UserAddress;
use crate::certificate::{CertificateHash, DeviceCertificate, Issuer};
use crate::keys::RootPublicKey;
use crate::manifest::Manifest;

/// Why a manifest or a chain of them is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// No manifest was given.
    #[error("no manifest was given")]
    Empty,
    /// More manifests were given than one call verifies.
    #[error("the chain is longer than the limit")]
    TooLong,
    /// A manifest is about another user.
    #[error("a manifest is about another user")]
    WrongUser,
    /// The root key is not the one that the expected fingerprint stands for.
    #[error("the root key does not match the expected fingerprint")]
    FingerprintMismatch,
    /// A manifest names another account than that of the root key.
    #[error("a manifest names another root")]
    WrongRoot,
    /// The chain does not begin with the root-signed first manifest of a generation.
    #[error("the chain does not begin at the root")]
    NotRooted,
    /// The manifest is older than one that was seen before.
    #[error("the manifest is older than one seen before")]
    RolledBack,
    /// The manifest contradicts one that was seen before.
    #[error("the manifest contradicts one seen before")]
    Forked,
    /// Manifests between the known one and this one are missing.
    #[error("a manifest in between is missing")]
    MissingManifest,
    /// A generation was begun by a device, or the root signed within a generation.
    #[error("only the root begins a generation, and it signs nothing else")]
    UnauthorisedGeneration,
    /// The signing device is not an approver in the manifest before.
    #[error("the signer is not an approver")]
    SignerNotApprover,
    /// The manifest's signature does not verify.
    #[error("the manifest's signature does not verify")]
    BadManifestSignature,
    /// A listed device has no certificate among those given.
    #[error("a listed device has no certificate")]
    UncertifiedDevice(CertificateHash),
    /// A certificate is for another user or another account.
    #[error("a certificate belongs to another account")]
    ForeignCertificate,
    /// A device did not sign its own certificate.
    #[error("a device did not sign its own certificate")]
    BadPossession,
    /// A new device was certified by someone who is not an approver in the manifest before.
    #[error("a device was certified by someone who may not")]
    IssuerNotApprover,
    /// The issuer's signature of a certificate does not verify.
    #[error("a certificate's signature does not verify")]
    BadCertificateSignature,
    /// Two listed certificates are for the same device.
    #[error("a device is listed twice")]
    DuplicateDevice,
    /// A device came back with other keys.
    #[error("a device changed its keys")]
    KeysChanged,
    /// No listed device may approve others.
    #[error("no device may approve")]
    NoApprover,
    /// The newest manifest has expired.
    #[error("the newest manifest has expired")]
    Expired,
    /// The newest manifest or one of its certificates lies in the future.
    #[error("the newest manifest lies in the future")]
    NotYetValid,
}

/// What is known before a step.
#[derive(Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) devices: &'a [DeviceCertificate],
    /// Certificates of devices that are no longer listed, as far as they are remembered.
    pub(crate) former: &'a [DeviceCertificate],
}

impl<'a> Standing<'a> {
    fn approver(&self, issuer: Issuer) -> Option<&'a DeviceCertificate> {
        let Issuer::Device(device) = issuer else { return None };
        let certificate = self.devices.iter().find(|known| known.address().device == device)?;
        certificate.may_approve().then_some(certificate)
    }

    fn by_hash(&self, hash: CertificateHash) -> Option<&'a DeviceCertificate> {
        self.devices.iter().find(|certificate| certificate.hash() == hash)
    }
}

/// Checks that `first` founds (or, in a later generation, refounds) the account and returns its
/// devices in the manifest's order.
pub(crate) fn check_start(
    root: &RootPublicKey,
    user: UserAddress,
    first: &Manifest,
    offered: &[DeviceCertificate],
) -> Result<Vec<DeviceCertificate>, ChainError> {
    check_account(root, user, first)?;
    let statement = first.statement();
    if statement.signer != Issuer::Root || (statement.generation == 0 && statement.epoch != 1) {
        return Err(ChainError::NotRooted);
    }
    first.verify_root(root).map_err(|_| ChainError::BadManifestSignature)?;
    check_devices(root, None, first, offered)
}

/// Checks that `next` follows what is known and returns its devices in the manifest's order.
pub(crate) fn check_step(
    root: &RootPublicKey,
    standing: Standing<'_>,
    next: &Manifest,
    offered: &[DeviceCertificate],
) -> Result<Vec<DeviceCertificate>, ChainError> {
    let current = standing.manifest.statement();
    check_account(root, current.user, next)?;
    let statement = next.statement();
    if statement.generation < current.generation {
        return Err(ChainError::RolledBack);
    }
    let follows = statement.previous == standing.manifest.hash();
    if statement.generation > current.generation {
        if statement.signer != Issuer::Root {
            return Err(ChainError::UnauthorisedGeneration);
        }
        // The root overrides a fork: its predecessor may lie on the other branch.
        if follows && Some(statement.epoch) != current.epoch.checked_add(1) {
            return Err(ChainError::Forked);
        }
        next.verify_root(root).map_err(|_| ChainError::BadManifestSignature)?;
        return check_devices(root, Some(standing), next, offered);
    }
    match statement.epoch.checked_sub(current.epoch) {
        None => return Err(ChainError::RolledBack),
        Some(1) if follows => {}
        Some(0 | 1) => return Err(ChainError::Forked),
        Some(_) => return Err(ChainError::MissingManifest),
    }
    if statement.signer == Issuer::Root {
        return Err(ChainError::UnauthorisedGeneration);
    }
    let signer = standing.approver(statement.signer).ok_or(ChainError::SignerNotApprover)?;
    next.verify_device(signer.signing_key()).map_err(|_| ChainError::BadManifestSignature)?;
    check_devices(root, Some(standing), next, offered)
}

fn check_account(
    root: &RootPublicKey,
    user: UserAddress,
    manifest: &Manifest,
) -> Result<(), ChainError> {
    if manifest.statement().user != user {
        return Err(ChainError::WrongUser);
    }
    if manifest.statement().account != root.fingerprint(user) {
        return Err(ChainError::WrongRoot);
    }
    Ok(())
}

fn check_devices(
    root: &RootPublicKey,
    standing: Option<Standing<'_>>,
    next: &Manifest,
    offered: &[DeviceCertificate],
) -> Result<Vec<DeviceCertificate>, ChainError> {
    let statement = next.statement();
    let mut devices: Vec<DeviceCertificate> = Vec::with_capacity(statement.certificates.len());
    for &hash in &statement.certificates {
        let known = standing.and_then(|standing| standing.by_hash(hash));
        let certificate = if let Some(known) = known {
            *known
        } else {
            let new = offered
                .iter()
                .find(|certificate| certificate.hash() == hash)
                .ok_or(ChainError::UncertifiedDevice(hash))?;
            check_new_device(root, standing, next, new)?;
            *new
        };
        let device = certificate.address().device;
        if devices.iter().any(|listed| listed.address().device == device) {
            return Err(ChainError::DuplicateDevice);
        }
        devices.push(certificate);
    }
    if !devices.iter().any(DeviceCertificate::may_approve) {
        return Err(ChainError::NoApprover);
    }
    Ok(devices)
}

fn check_new_device(
    root: &RootPublicKey,
    standing: Option<Standing<'_>>,
    next: &Manifest,
    new: &DeviceCertificate,
) -> Result<(), ChainError> {
    let statement = next.statement();
    if new.user_address() != statement.user || new.account() != statement.account {
        return Err(ChainError::ForeignCertificate);
    }
    new.verify_possession().map_err(|_| ChainError::BadPossession)?;
    match (new.issuer(), statement.signer) {
        (Issuer::Root, Issuer::Root) => new.verify_root(root),
        (Issuer::Root, Issuer::Device(_)) => return Err(ChainError::IssuerNotApprover),
        // The root's signature over the certificate's hash vouches for it: its issuer may be one
        // that this viewer has never seen or that the new generation cuts off.
        (Issuer::Device(_), Issuer::Root) => Ok(()),
        (issuer @ Issuer::Device(_), Issuer::Device(_)) => {
            let approver = standing
                .and_then(|standing| standing.approver(issuer))
                .ok_or(ChainError::IssuerNotApprover)?;
            new.verify_issuer(approver.signing_key())
        }
    }
    .map_err(|_| ChainError::BadCertificateSignature)?;
    let Some(standing) = standing else { return Ok(()) };
    let same_device = standing
        .devices
        .iter()
        .chain(standing.former)
        .filter(|seen| seen.address().device == new.address().device);
    for seen in same_device {
        if seen.signing_key() != new.signing_key() || seen.agreement_key() != new.agreement_key() {
            return Err(ChainError::KeysChanged);
        }
    }
    Ok(())
}

/// Checks that the newest manifest and its devices hold at `now`.
pub(crate) fn check_fresh(
    head: &Manifest,
    devices: &[DeviceCertificate],
    now: u64,
) -> Result<(), ChainError> {
    if head.statement().expires <= now {
        return Err(ChainError::Expired);
    }
    let latest = now.saturating_add(MAX_CLOCK_SKEW_SECONDS);
    if head.statement().issued > latest || devices.iter().any(|device| device.not_before() > latest)
    {
        return Err(ChainError::NotYetValid);
    }
    Ok(())
}

/// Checks the first manifest of an account, as the service does before it stores it, and returns
/// the devices that it certifies.
///
/// Unlike a viewer, the service accepts generation 0 only.
pub fn verify_first(
    user: UserAddress,
    root: &RootPublicKey,
    first: &Manifest,
    certificates: &[DeviceCertificate],
    now: u64,
) -> Result<Vec<DeviceCertificate>, ChainError> {
    if first.statement().generation != 0 {
        return Err(ChainError::NotRooted);
    }
    let devices = check_start(root, user, first, certificates)?;
    check_fresh(first, &devices, now)?;
    Ok(devices)
}

/// Checks that `next` may replace `current`, as the service does before its compare-and-set on
/// the previous hash, and returns the devices that `next` certifies.
///
/// `devices` are the certificates of `current`, `former` those of devices that it no longer lists,
/// `offered` those that are new in `next`. Unlike a viewer, the service accepts a new generation
/// only on top of the manifest that it holds.
pub fn verify_successor(
    root: &RootPublicKey,
    current: &Manifest,
    devices: &[DeviceCertificate],
    former: &[DeviceCertificate],
    next: &Manifest,
    offered: &[DeviceCertificate],
    now: u64,
) -> Result<Vec<DeviceCertificate>, ChainError> {
    let standing = Standing { manifest: current, devices, former };
    let certified = check_step(root, standing, next, offered)?;
    if next.statement().previous != current.hash() {
        return Err(ChainError::Forked);
    }
    check_fresh(next, &certified, now)?;
    Ok(certified)
}
