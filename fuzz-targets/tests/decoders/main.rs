//! Every decoder against the corpus, and against random mutations of it.
#![cfg(test)]

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod mutation;
