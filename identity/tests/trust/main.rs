//! Encodings and chains through the public interface.
#![cfg(test)]

mod arbitrary;
mod chain;
