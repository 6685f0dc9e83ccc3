//! The life of a subscription: renewals by every node, what follows from an empty wallet, and what
//! its payer decides.

mod change;
mod renew;
mod scheduler;

pub(crate) use change::{Decision, PriceChange, decide, price_change};
pub(crate) use renew::price_of;
