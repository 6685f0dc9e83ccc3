//! Encodings and chains through the public interface.
#![cfg(test)]

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod chain;
#[cfg(test)]
mod toys;
