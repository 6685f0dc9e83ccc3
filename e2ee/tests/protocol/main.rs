//! The protocol through its public interface.
#![cfg(test)]

mod conversation;
mod properties;
mod secrecy;
mod specification;
mod tampering;
mod world;
