//! The public half of trust: who a user's devices are, and how anyone can check it.
//!
//! This crate owns the canonical encodings and the verification of root keys, fingerprints, device
//! certificates, manifests (a user's signed list of devices), prekey signatures and recovery kits,
//! and the numbers by which two people compare their accounts. Server and client link it alike. It
//! does **not** own a private key, randomness, a clock or I/O: signing is
//! done by a [`Signer`] that the caller brings, and time is an argument in unix seconds.
//!
//! The bytes are specified in `docs/PROTOCOL.md`. Every decoder takes exactly one structure,
//! refuses trailing bytes and unknown versions, and answers with a [`DecodeError`]; none panics.

mod account;
mod address;
mod certificate;
mod chain;
pub mod encoding;
mod fingerprint;
mod keys;
mod manifest;
mod prekey;
mod primitives;
mod recovery_kit;
mod safety_number;
mod session_challenge;
mod signature;

pub use account::{
    AccountBytesError, KnownManifest, VerifiedAccount, verify_chain, verify_chain_to_recover,
};
pub use address::{DeviceAddress, UserAddress};
pub use certificate::{
    Capabilities, CertificateHash, CertificateRequest, CertificateTerms, DeviceCertificate,
    DeviceStatement, Issuer,
};
pub use chain::{ChainError, verify_first, verify_successor};
pub use encoding::DecodeError;
pub use fingerprint::{Fingerprint, FingerprintError};
pub use keys::{AgreementPublicKey, RootPublicKey, SigningPublicKey};
pub use manifest::{Manifest, ManifestHash, ManifestStatement};
pub use prekey::{
    KEM_KEY_LENGTH, PrekeyError, PrekeyRole, PrekeyStatement, SignedPrekey, check_kem_key,
};
#[cfg(plasma_toy_primitives)]
pub use primitives::toy;
pub use recovery_kit::{RecoveryKit, RecoveryKitError, RecoveryKitHeader};
pub use safety_number::{SafetyComparison, SafetyMismatch, SafetyNumber, SafetyNumberError};
pub use session_challenge::session_challenge;
pub use signature::{InvalidSignature, Signature, Signer};

/// Most devices that a manifest lists.
pub const MAX_DEVICES: usize = 10;

/// Longest life of a manifest, in seconds (30 days).
pub const MANIFEST_LIFETIME_SECONDS: u64 = 30 * 24 * 60 * 60;

/// How long an envelope may be under way, in seconds (45 days): for so long superseded manifests
/// and replaced private prekeys are kept.
pub const MAX_LATENCY_SECONDS: u64 = 45 * 24 * 60 * 60;

/// How far a signer's clock may run ahead of the verifier's, in seconds (one day).
pub const MAX_CLOCK_SKEW_SECONDS: u64 = 24 * 60 * 60;

/// Most manifests that one call verifies; a root-signed generation lets a chain start anew.
pub const MAX_CHAIN_LENGTH: usize = 4096;
