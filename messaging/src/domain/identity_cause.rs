//! The rule that a certificate, manifest, prekey or recovery kit breaks, as `metadata.cause` names it.

use plasma_identity::{ChainError, PrekeyError, RecoveryKitError};

/// Why an identity was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityCause {
    /// A rule of the chain of manifests.
    Chain(ChainError),
    /// A rule of prekeys.
    Prekey(PrekeyError),
    /// A rule of recovery kits.
    RecoveryKit(RecoveryKitError),
    /// The manifest lists other devices than it may: the old ones and exactly the one new.
    NotOneAddition,
    /// The manifest lists other devices than it may: the old ones but exactly one.
    NotOneRemoval,
    /// The manifest lists other devices than the one in force.
    NotTheSameDevices,
    /// The new device that was brought is not in the manifest.
    NewDeviceNotListed,
    /// The caller is not an approver of the account.
    CallerNotApprover,
    /// The certificate or the manifest is signed by another approver than the caller.
    NotSignedByCaller,
    /// The certificate or the manifest of a new generation is signed by a device.
    NotSignedByRoot,
    /// The device id was used before.
    DeviceIdTaken,
}

impl IdentityCause {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chain(error) => chain(error),
            Self::Prekey(PrekeyError::WrongDevice) => "prekey_wrong_device",
            Self::Prekey(PrekeyError::BadSignature) => "prekey_bad_signature",
            Self::Prekey(PrekeyError::Expired) => "prekey_expired",
            Self::RecoveryKit(RecoveryKitError::WrongUser) => "kit_wrong_user",
            Self::RecoveryKit(RecoveryKitError::WrongRoot) => "kit_wrong_root",
            Self::RecoveryKit(RecoveryKitError::BadSignature) => "kit_bad_signature",
            Self::NotOneAddition => "not_one_addition",
            Self::NotOneRemoval => "not_one_removal",
            Self::NotTheSameDevices => "not_the_same_devices",
            Self::NewDeviceNotListed => "new_device_not_listed",
            Self::CallerNotApprover => "caller_not_approver",
            Self::NotSignedByCaller => "not_signed_by_caller",
            Self::NotSignedByRoot => "not_signed_by_root",
            Self::DeviceIdTaken => "device_id_taken",
        }
    }
}

fn chain(error: ChainError) -> &'static str {
    match error {
        ChainError::Empty => "empty",
        ChainError::TooLong => "too_long",
        ChainError::WrongUser => "wrong_user",
        ChainError::FingerprintMismatch => "fingerprint_mismatch",
        ChainError::WrongRoot => "wrong_root",
        ChainError::NotRooted => "not_rooted",
        ChainError::RolledBack => "rolled_back",
        ChainError::Forked => "forked",
        ChainError::MissingManifest => "missing_manifest",
        ChainError::UnauthorisedGeneration => "unauthorised_generation",
        ChainError::SignerNotApprover => "signer_not_approver",
        ChainError::BadManifestSignature => "bad_manifest_signature",
        ChainError::UncertifiedDevice(_) => "uncertified_device",
        ChainError::ForeignCertificate => "foreign_certificate",
        ChainError::BadPossession => "bad_possession",
        ChainError::IssuerNotApprover => "issuer_not_approver",
        ChainError::BadCertificateSignature => "bad_certificate_signature",
        ChainError::DuplicateDevice => "duplicate_device",
        ChainError::KeysChanged => "keys_changed",
        ChainError::NoApprover => "no_approver",
        ChainError::Expired => "expired",
        ChainError::NotYetValid => "not_yet_valid",
    }
}
