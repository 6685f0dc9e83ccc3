//! The protocol through its public interface.
#![cfg(test)]

#[cfg(test)]
mod conversation;
#[cfg(test)]
mod disclosure;
mod healing;
#[cfg(test)]
mod linking;
#[cfg(test)]
mod pq_ledger;
#[cfg(test)]
mod pq_properties;
#[cfg(test)]
mod pq_specification;
#[cfg(test)]
mod pq_step;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod retry;
#[cfg(test)]
mod secrecy;
#[cfg(test)]
mod specification;
#[cfg(test)]
mod structures;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod world;
