//! The rules of money, without I/O.

pub mod calendar;
pub mod charge;
pub mod clock;
pub mod external;
pub mod ledger;
pub mod money;
pub mod pass;
pub mod price;
pub mod quote;
pub mod refund;
pub mod revenue;
pub mod sale;
pub mod simulation;
pub mod split;
pub mod subscription;
