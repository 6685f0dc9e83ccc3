//! What the service must stand: nodes, servers and lines that fail under a load, and bugs planted
//! on purpose to see whether that would be noticed.
//!
//! Owns the faults: what may happen ([`schedule`]), how it is done to real processes ([`hands`]),
//! questions that need one fault at one moment ([`probe`]), and which planted bug each of them must
//! catch ([`planted`]), and how late messages may be without Redis ([`promptness`]). It does **not** own how messages travel (`traffic`) nor what counts as lost
//! (`ledger`), which every load uses.

pub mod cast;
pub mod hands;
pub mod planted;
pub mod probe;
pub mod promptness;
pub mod schedule;
pub mod storm;
mod waiting;
