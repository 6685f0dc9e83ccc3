//! Money: the double-entry ledger, hosted wallets, price lists, and access to chats that is sold.
//!
//! Owns the tables `ledger_*`, `prices`, `charges` and `passes`, and the four services of
//! `plasma.billing.v1`. Every amount that moves is a balanced [`domain::ledger::Transaction`] in
//! the books of one tenant; a payment between platforms is two of them in one database
//! transaction. A charge and the pass that it pays for are committed together, so that there is
//! neither one without the other.
//!
//! Knows nothing of how a tenant is configured or who is in a chat: it asks [`ports::Tenants`] and
//! [`ports::Chats`]. Does not decide who may write; it says which pass is in force, and messaging
//! decides.

mod access;
pub mod domain;
mod error;
pub mod migration;
mod movement;
pub mod ports;
mod purchase;
pub mod service;
mod store;
mod wire;

use std::fmt;
use std::sync::Arc;

use plasma_kit::events::Events;
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env};

pub use crate::purchase::{Purchase, check_accepted};

/// Billing on one node: a handle that is cheap to clone.
#[derive(Clone)]
pub struct Billing {
    db: Db,
    env: Env,
    secrets: Secrets,
    events: Events,
    tenants: Arc<dyn ports::Tenants>,
    chats: Arc<dyn ports::Chats>,
}

impl fmt::Debug for Billing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Billing")
    }
}

impl Billing {
    /// Puts billing together from the node's parts and the answers of the other contexts.
    pub fn new(
        db: Db,
        env: Env,
        secrets: Secrets,
        events: Events,
        tenants: Arc<dyn ports::Tenants>,
        chats: Arc<dyn ports::Chats>,
    ) -> Self {
        Self { db, env, secrets, events, tenants, chats }
    }
}
