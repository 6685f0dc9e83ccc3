//! The checked-in vectors.
#![cfg(test)]

#[cfg(test)]
mod checked_in;
#[cfg(test)]
mod replayed;
