//! The protocol through its public interface.
#![cfg(test)]

#[cfg(test)]
mod conversation;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod secrecy;
#[cfg(test)]
mod specification;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod world;
