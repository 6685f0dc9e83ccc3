//! A tenant's own wallet in the place of hosted ones.
//!
//! What happens there cannot be in our transaction. So every operation is a row before its first
//! call, under the id that every retry repeats ([`settle`]). A purchase first has the money set aside
//! ([`reserve`]), then commits pass, charge, postings and the operation's step to CAPTURING together,
//! and the capture follows. Whoever drives an operation holds its lease; what a node leaves behind,
//! another goes on with when the lease has run out ([`worker`]). Silence is never a refusal: it is
//! asked about, or called again, until there is an answer.

mod address;
mod answers;
mod balance;
mod breaker;
mod connector;
mod link;
mod mirror;
mod policy;
pub(crate) mod reconcile;
pub(crate) mod reserve;
mod settle;
mod undo;
pub(crate) mod wire;
mod worker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use plasma_kit::db::TenantClaim;
use plasma_kit::ids::TenantId;
use plasma_kit::status::Failure;
use tokio::sync::Notify;

use crate::Billing;
use crate::store::external::providers;

pub(crate) use address::read_url;
pub(crate) use link::Link;
pub use policy::WalletPolicy;

/// What a node keeps about tenants' own wallets.
#[derive(Debug, Default)]
pub(crate) struct External {
    pub(crate) policy: WalletPolicy,
    links: Mutex<HashMap<TenantId, Known>>,
    /// Wakes who settles operations.
    wake: Notify,
    /// Wakes who reconciles days.
    pub(crate) wake_days: Notify,
}

/// What was last read of a tenant's settings.
#[derive(Debug)]
struct Known {
    read_at: Instant,
    link: Option<Arc<Link>>,
}

impl External {
    pub(crate) fn new(policy: WalletPolicy) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Forgets what was read of a tenant's settings, after they changed.
    pub(crate) fn forget(&self, tenant: TenantId) {
        self.links().remove(&tenant);
    }

    fn links(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, Known>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Billing {
    /// The link to a tenant's own wallet; `None` where its users pay from hosted ones. The settings
    /// are read again where they are older than the policy lets them be.
    pub(crate) async fn wallet_link(&self, tenant: TenantId) -> Result<Option<Arc<Link>>, Failure> {
        let before = match self.external.links().get(&tenant) {
            Some(known) if known.read_at.elapsed() < self.external.policy.settings_max_age => {
                return Ok(known.link.clone());
            }
            Some(known) => known.link.clone(),
            None => None,
        };
        let read_at = Instant::now();
        let db = self.db.tenant(TenantClaim::of_peer(tenant));
        let link = match providers::load(&db, &self.secrets).await? {
            None => None,
            Some(provider) => match before {
                Some(link)
                    if link.provider.updated_at == provider.updated_at
                        && link.provider.url == provider.url =>
                {
                    Some(link)
                }
                _ => {
                    Some(Arc::new(Link::new(provider, self.external.policy).map_err(|error| {
                        tracing::error!(%tenant, error, "a wallet provider cannot be called");
                        Failure::unavailable()
                    })?))
                }
            },
        };
        self.external.links().insert(tenant, Known { read_at, link: link.clone() });
        Ok(link)
    }
}
