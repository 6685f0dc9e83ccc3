//! A wallet of a partner platform, as an example of how `plasma.billing.v1.WalletProvider` is
//! implemented: [`book`] holds the rules over one SQLite file, [`service`] serves them.
//!
//! It also misbehaves on demand, which is no example: [`faults`] are those of networks and overloaded
//! servers, which Plasma must stand; [`flaws`] are misunderstandings of the contract, which
//! `plasma wallet-check` must find.
//!
//! Knows nothing of Plasma but its contract.

pub mod book;
pub mod faults;
pub mod flaws;
pub mod service;

pub use book::Book;
pub use faults::{Fault, Faults};
pub use flaws::Flaw;
pub use service::Wallet;
