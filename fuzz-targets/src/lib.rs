//! What every decoder promises about arbitrary bytes, as functions that panic when it is broken.
//!
//! Owns one function for each decoder ([`TARGETS`]), and the maker of the corpus that is checked
//! in under `fuzz/corpus` ([`corpus`]). cargo-fuzz runs the functions under `fuzz/`; the tests of
//! this crate replay the corpus, and mutate it at random, with the stable compiler alone. No crate
//! of the product depends on this one.
//!
//! Beside not panicking, every decoder of a structure accepts one encoding only: what it accepts,
//! it encodes to the same bytes, and nothing is accepted with a byte missing or a byte more.

pub mod corpus;
mod linking;
mod seeds;
mod targets;

pub use self::targets::{TARGETS, Target};

/// Finds a target by its name.
///
/// # Panics
///
/// When there is none.
pub fn target(name: &str) -> Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    *found.unwrap_or_else(|| panic!("no target {name}"))
}
