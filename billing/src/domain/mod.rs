//! The rules of money, without I/O.

pub mod charge;
pub mod ledger;
pub mod money;
pub mod pass;
pub mod price;
pub mod split;
