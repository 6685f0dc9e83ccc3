//! How one manifest follows another: a device joins, a device goes, nothing but the date changes,
//! or the root begins a new generation.

use plasma_identity::{
    DeviceCertificate, Issuer, MAX_DEVICES, Manifest, RootPublicKey, verify_successor,
};
use uuid::Uuid;

use super::identity_cause::IdentityCause;
use super::refusal::Refusal;

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
        self.certificates.iter().partition(|certificate| self.lists(certificate))
    }

    /// Whether the manifest in force lists a device.
    pub fn lists(&self, certificate: &DeviceCertificate) -> bool {
        self.manifest.statement().certificates.contains(&certificate.hash())
    }

    /// Whether the account has as many devices as a manifest can list.
    pub fn is_full(&self) -> bool {
        self.manifest.statement().certificates.len() >= MAX_DEVICES
    }

    /// Whether the manifest in force is `next`: a retry.
    pub fn is_already(&self, next: &Manifest) -> bool {
        self.manifest.hash() == next.hash()
    }
}

/// What a caller asks for. What an approver asks for, it signs itself; a generation is the root's,
/// whoever hands it in.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    /// An approver certified exactly one more device.
    Addition {
        /// The approver that calls.
        caller: Uuid,
        /// The new device.
        new: DeviceCertificate,
    },
    /// An approver removes exactly one device, itself perhaps.
    Removal {
        /// The approver that calls.
        caller: Uuid,
    },
    /// An approver puts the same devices in force anew.
    Renewal {
        /// The approver that calls.
        caller: Uuid,
    },
    /// The root keeps some of the devices and certifies at most one more.
    Generation {
        /// The new device.
        new: Option<DeviceCertificate>,
    },
}

impl Change {
    fn caller(&self) -> Option<Uuid> {
        match *self {
            Self::Addition { caller, .. } | Self::Removal { caller } | Self::Renewal { caller } => {
                Some(caller)
            }
            Self::Generation { .. } => None,
        }
    }

    fn added(&self) -> Option<DeviceCertificate> {
        match *self {
            Self::Addition { new, .. } => Some(new),
            Self::Generation { new } => new,
            Self::Removal { .. } | Self::Renewal { .. } => None,
        }
    }

    /// Checks how many devices joined and went. That whatever joined is the one that was brought
    /// is the chain's rule.
    fn check_shape(&self, joined: usize, gone: usize) -> Result<(), IdentityCause> {
        match self {
            Self::Addition { .. } if (joined, gone) != (1, 0) => Err(IdentityCause::NotOneAddition),
            Self::Removal { .. } if (joined, gone) != (0, 1) => Err(IdentityCause::NotOneRemoval),
            Self::Renewal { .. } if (joined, gone) != (0, 0) => {
                Err(IdentityCause::NotTheSameDevices)
            }
            Self::Generation { new } if joined != usize::from(new.is_some()) => {
                Err(IdentityCause::NewDeviceNotListed)
            }
            _ => Ok(()),
        }
    }
}

/// A change of the device list, verified.
#[derive(Debug, Clone)]
pub struct Succession {
    previous: [u8; 32],
    manifest: Manifest,
    added: Option<DeviceCertificate>,
    removed: Vec<Uuid>,
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

    /// The device that joins.
    pub fn added(&self) -> Option<&DeviceCertificate> {
        self.added.as_ref()
    }

    /// The devices that go, in ascending order.
    pub fn removed(&self) -> &[Uuid] {
        &self.removed
    }
}

/// Verifies that `next` follows the manifest in force and makes exactly the change asked for.
/// `now` is in unix seconds.
pub fn succeed(
    standing: &Standing,
    next: Manifest,
    change: Change,
    now: u64,
) -> Result<Succession, Refusal> {
    let (devices, former) = standing.devices();
    if let Some(caller) = change.caller() {
        let is_caller = |device: &&DeviceCertificate| device.address().device == caller;
        if !devices.iter().find(is_caller).is_some_and(DeviceCertificate::may_approve) {
            return Err(IdentityCause::CallerNotApprover.into());
        }
    }
    if next.statement().previous != standing.manifest.hash() {
        return Err(Refusal::ManifestConflict);
    }
    check_signer(&next, &change)?;
    let (root, manifest) = (&standing.root, &standing.manifest);
    let offered = change.added();
    verify_successor(root, manifest, &devices, &former, &next, offered.as_slice(), now)?;
    let listed = &next.statement().certificates;
    let gone = devices.iter().filter(|device| !listed.contains(&device.hash()));
    let mut removed: Vec<Uuid> = gone.map(|device| device.address().device).collect();
    removed.sort_unstable();
    let joined = listed.len() + removed.len() - devices.len();
    change.check_shape(joined, removed.len())?;
    Ok(Succession { previous: manifest.hash().0, manifest: next, added: offered, removed })
}

/// Checks in whose name the manifest and the new certificate are signed, before the signatures
/// themselves.
fn check_signer(next: &Manifest, change: &Change) -> Result<(), IdentityCause> {
    let (signer, cause) = match change.caller() {
        Some(caller) => (Issuer::Device(caller), IdentityCause::NotSignedByCaller),
        None => (Issuer::Root, IdentityCause::NotSignedByRoot),
    };
    let by_signer = next.statement().signer == signer
        && change.added().is_none_or(|certificate| certificate.issuer() == signer);
    if by_signer { Ok(()) } else { Err(cause) }
}
