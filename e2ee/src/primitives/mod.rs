//! The primitives behind private keys and prekeys, in one place.
//!
//! Everything that is shipped uses P-256 and ML-KEM-768. The toys are those of
//! `plasma_identity::primitives`: a compiler flag, for tests only.

#[cfg(not(plasma_toy_primitives))]
mod curve;
#[cfg(not(plasma_toy_primitives))]
mod kem;
#[cfg(plasma_toy_primitives)]
mod toy;

#[cfg(plasma_toy_primitives)]
pub(crate) use self::toy::{
    PrivateAgreement, PrivateSigning, decapsulate, encapsulate, encapsulation_key,
};
#[cfg(not(plasma_toy_primitives))]
pub(crate) use self::{
    curve::{PrivateAgreement, PrivateSigning},
    kem::{decapsulate, encapsulate, encapsulation_key},
};

/// Length of a private EC key.
pub(crate) const PRIVATE_LENGTH: usize = 32;

/// Length of the seed from which both halves of a KEM key are made.
pub(crate) const SEED_LENGTH: usize = 64;
