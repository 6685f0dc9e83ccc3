//! Sessions, devices, prekeys, contact links, chats, and the delivery of sealed messages.
//!
//! Owns which devices a user has (as their own signatures say), who may talk to whom, and every
//! envelope until its device acknowledges it. Does not own money, nor who a platform's users are:
//! what it must know of either comes through [`ports`]. It links `identity`, the public half of
//! trust, and never `e2ee`: it can check signatures and open nothing.
//!
//! - [`service`]: one file for each RPC.
//! - [`sessions`]: tokens of devices and users being enrolled.
//! - [`directory`]: what the hot path reads, cached for seconds: chats and device sets.
//! - [`delivery`]: the way of an envelope from a sender to a device.

#[cfg(plasma_toy_primitives)]
compile_error!("toy primitives protect nothing: they are for tests of the protocol alone");

pub mod delivery;
pub mod directory;
pub mod domain;
mod housekeeping;
mod limits;
pub mod migration;
pub mod ports;
pub mod service;
pub mod sessions;
mod store;

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::bus::Bus;
use plasma_kit::changes::Freshness;
use plasma_kit::events::Events;
use plasma_kit::rate::{Limits, RateLimit};
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env, StoreError};
use tokio_util::sync::CancellationToken;

use crate::domain::UserKey;
use crate::limits::MessageLimits;

pub use crate::limits::MessageRates;

/// What every part of this context works with.
#[derive(Clone)]
pub struct Messaging {
    /// The database.
    pub(crate) db: Db,
    /// Time, ids, randomness.
    pub(crate) env: Env,
    /// Keys of the server.
    pub(crate) secrets: Secrets,
    /// What nodes tell each other.
    pub(crate) events: Events,
    /// Where contact links of tenants without a base of their own point, without trailing slash.
    pub(crate) public_url: String,
    /// Who vouches for users, and what their platforms allow.
    pub(crate) tenants: Arc<dyn ports::Tenants>,
    /// What access to a chat costs, and who has it.
    pub(crate) access: Arc<dyn ports::Access>,
    /// Tokens.
    pub(crate) sessions: sessions::Sessions,
    /// Chats and device sets.
    pub(crate) directory: directory::Directory,
    /// The way of an envelope.
    pub(crate) delivery: delivery::Delivery,
    /// Makes limits of how often something is done.
    pub(crate) limits: Limits,
    /// How many messages devices send.
    pub(crate) message_limits: Arc<MessageLimits>,
    /// How often a user's list of devices changes; those changes that the root signs apart.
    pub(crate) list_changes: Arc<RateLimit<(UserKey, Issuer)>>,
}

/// Changes of a list of devices at once, and how soon one more: far fewer than what would make the
/// chain too long for those who follow it.
const LIST_CHANGE_BURST: u32 = 40;
const LIST_CHANGE_REFILL: Duration = Duration::from_mins(30);

/// Who signs a change of a list of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Issuer {
    /// The account's root, whose word a stolen device must not use up.
    Root,
    /// A device that may approve.
    Device,
}

/// What this context is built from.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Time, ids, randomness.
    pub env: Env,
    /// Keys of the server.
    pub secrets: Secrets,
    /// What nodes tell each other.
    pub events: Events,
    /// Up to when every change has been heard of.
    pub freshness: Freshness,
    /// Transport between nodes.
    pub bus: Arc<dyn Bus>,
    /// Makes limits of how often something is done.
    pub limits: Limits,
    /// How many messages may be sent.
    pub message_rates: MessageRates,
    /// Where contact links of tenants without a base of their own point, without trailing slash.
    pub public_url: String,
    /// Who vouches for users, and what their platforms allow.
    pub tenants: Arc<dyn ports::Tenants>,
    /// What access to a chat costs, and who has it.
    pub access: Arc<dyn ports::Access>,
}

impl Messaging {
    /// Starts this context on a node; its background work ends with `stop`.
    pub async fn start(parts: Parts, stop: CancellationToken) -> Self {
        let Parts {
            db,
            env,
            secrets,
            events,
            freshness,
            bus,
            limits,
            message_rates,
            public_url,
            tenants,
            access,
        } = parts;
        let sessions =
            sessions::Sessions::new(db.clone(), env.clone(), secrets.clone(), Arc::clone(&tenants));
        sessions.watch(events.listen(), stop.clone());
        let (store, prices) = (db.clone(), Arc::clone(&access));
        let directory = directory::Directory::new(store, env.clone(), prices, freshness);
        directory.watch(events.listen(), stop.clone());
        tokio::spawn(housekeeping::run(db.system(), env.clone(), stop.clone()));
        let delivery =
            delivery::Delivery::start(&db, env.clone(), &secrets, bus, &events, stop).await;
        let list_changes = limits.limit("list_change", LIST_CHANGE_BURST, LIST_CHANGE_REFILL);
        let message_limits = MessageLimits::new(&limits, message_rates);
        Self {
            db,
            env,
            secrets,
            events,
            public_url,
            tenants,
            access,
            sessions,
            directory,
            delivery,
            limits,
            message_limits: Arc::new(message_limits),
            list_changes: Arc::new(list_changes),
        }
    }

    /// Deletes what has had its time, and says how much. Every node does so once a minute.
    pub async fn prune(&self) -> Result<u64, StoreError> {
        housekeeping::prune(&self.db.system(), self.env.now()).await
    }

    /// Tokens, for the auth layer.
    pub fn sessions(&self) -> &sessions::Sessions {
        &self.sessions
    }

    /// Delivery, for a graceful stop.
    pub fn delivery(&self) -> &delivery::Delivery {
        &self.delivery
    }

    /// Chats, for the port of billing.
    pub fn directory(&self) -> &directory::Directory {
        &self.directory
    }
}
