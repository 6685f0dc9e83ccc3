//! The primitives behind public keys and signatures, in one place.
//!
//! Everything that is shipped uses P-256. With `--cfg plasma_toy_primitives` in `RUSTFLAGS` the
//! same interface is served by toys without any security, so that tests of the protocol's logic
//! can run through a hundred thousand histories. It is a compiler flag and not a Cargo feature on
//! purpose: no manifest can switch it on, and as every crate of a build sees it, the crates that
//! are shipped refuse to compile with it.

#[cfg(not(plasma_toy_primitives))]
mod curve;
#[cfg(plasma_toy_primitives)]
pub mod toy;

#[cfg(not(plasma_toy_primitives))]
pub(crate) use self::curve::{Point, check_signature};
#[cfg(plasma_toy_primitives)]
pub(crate) use self::toy::{Point, check_signature};
