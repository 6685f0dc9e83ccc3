//! Encodings and chains through the public interface.
#![cfg(test)]

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod chain;
#[cfg(test)]
mod recovery_kit;
#[cfg(test)]
mod safety_number;
#[cfg(test)]
mod toys;
