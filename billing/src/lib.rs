//! Money: the double-entry ledger, hosted wallets, price lists, and access to chats that is sold.
//!
//! Owns the tables `ledger_*`, `price_*`, `payer*`, `charges`, `passes`, `trials`, `subscription*`,
//! `spent_messages`, `refunds` and `test_clocks`, and the services of
//! `plasma.billing.v1`. Every amount that moves is a balanced [`domain::ledger::Transaction`] in
//! the books of one tenant; a payment between platforms is two of them in one database
//! transaction. A charge and the pass that it pays for are committed together, so that there is
//! neither one without the other.
//!
//! Knows nothing of how a tenant is configured or who is in a chat: it asks [`ports::Tenants`] and
//! [`ports::Chats`]. Does not decide who may write; it says which pass is in force, and messaging
//! decides.

mod access;
pub mod clock;
pub mod domain;
mod error;
mod export;
mod external;
pub mod history;
mod housekeeping;
pub mod migration;
mod movement;
mod payout;
pub mod ports;
mod publication;
mod purchase;
mod refund;
mod revenue;
pub mod service;
mod spending;
mod store;
mod subscription;
mod time;
mod wire;

use std::fmt;
use std::sync::Arc;

use plasma_kit::events::Events;
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub use crate::external::WalletPolicy;
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
    /// Told when something may be due before it is looked for by itself.
    due: Arc<Notify>,
    external: Arc<external::External>,
    /// Wakes what moves clocks on this node.
    clock_asked: Arc<Notify>,
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
        let external = Arc::new(external::External::default());
        Self {
            db,
            env,
            secrets,
            events,
            tenants,
            chats,
            due: Arc::default(),
            external,
            clock_asked: Arc::default(),
        }
    }

    /// The same billing under another policy towards tenants' own wallets; for use at the start.
    #[must_use]
    pub fn with_wallet_policy(self, policy: WalletPolicy) -> Self {
        Self { external: Arc::new(external::External::new(policy)), ..self }
    }

    /// Begins the background work of this node, which ends with `stop`.
    pub fn start(&self, stop: &CancellationToken) {
        tokio::spawn(self.clone().renew_until(stop.clone()));
        tokio::spawn(self.clone().keep_history(stop.clone()));
        tokio::spawn(clock::advance_until(self.clone(), Arc::new(self.clone()), stop.clone()));
        self.work_on_external_wallets(stop.clone());
        tokio::spawn(self.clone().tidy_until(stop.clone()));
    }
}
