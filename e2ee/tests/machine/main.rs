//! Random histories of up to four persons with up to five devices each: whatever is lost, repeated,
//! overtaken, restored, linked, revoked, reinstalled and recovered, the devices converge.
//!
//! Every run prints its seed. `PLASMA_SEED=… PLASMA_HISTORIES=…` plays the histories of that many
//! seeds from the given one on, in the long test on `PLASMA_THREADS=…` threads; a failure prints the seed of its history, made as short as it gets.
#![cfg(test)]

#[cfg(test)]
mod content;
#[cfg(test)]
mod device;
#[cfg(test)]
mod heal;
#[cfg(test)]
mod histories;
#[cfg(test)]
mod history;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod people;
#[cfg(test)]
mod receiving;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod service;
#[cfg(test)]
mod shrink;
#[cfg(test)]
mod world;
