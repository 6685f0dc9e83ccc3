//! What is looked up for almost every call, remembered for a few seconds and forgotten at once when
//! an event says that it changed.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use plasma_kit::Failure;
use plasma_kit::db::StoreError;
use plasma_kit::events::{Event, Subject};
use plasma_kit::ids::TenantId;

use crate::domain::api_key::SecretHash;
use crate::domain::identity_provider::IdentityProvider;
use crate::domain::tenant::Tenant;
use crate::store::api_keys::Credential;

/// How long anything is remembered without an event. Well under the 5 seconds within which a change
/// must be in force, since a look-up may begin before the change and end after its event.
const REMEMBERED: Duration = Duration::from_secs(3);
const ENTRIES_MAX: u64 = 10_000;
/// How long a key that was good goes before unknown ones.
const PROVEN: Duration = Duration::from_hours(12);

/// Why there is nothing to remember.
#[derive(Debug, Clone)]
pub enum Miss {
    /// There is no such thing.
    Absent,
    /// It could not be looked up.
    Failed(Failure),
}

impl From<StoreError> for Miss {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// The caches of one node. Only what exists is remembered, so that guesses fill nothing.
#[derive(Debug, Clone)]
pub struct Caches {
    /// Active keys by the hash of their secret.
    pub credentials: Cache<SecretHash, Credential>,
    /// Keys that were good some time ago: they are looked up without waiting behind those that
    /// somebody makes up.
    pub proven: Cache<SecretHash, ()>,
    /// Tenants.
    pub tenants: Cache<TenantId, Arc<Tenant>>,
    /// The identity providers of a tenant.
    pub providers: Cache<TenantId, Arc<Vec<IdentityProvider>>>,
}

impl Default for Caches {
    fn default() -> Self {
        let proven = Cache::builder().max_capacity(ENTRIES_MAX).time_to_live(PROVEN).build();
        Self { credentials: cache(), proven, tenants: cache(), providers: cache() }
    }
}

fn cache<K, V>() -> Cache<K, V>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    Cache::builder().max_capacity(ENTRIES_MAX).time_to_live(REMEMBERED).build()
}

impl Caches {
    /// Forgets what an event makes doubtful. Changes are rare, so more may go than must.
    pub fn forget(&self, event: &Event) {
        match event {
            Event::TenantChanged(_)
            | Event::Missed
            | Event::Revoked { subject: Subject::Tenant, .. } => {
                self.credentials.invalidate_all();
                self.tenants.invalidate_all();
                self.providers.invalidate_all();
            }
            Event::Revoked { subject: Subject::ApiKey(_), .. } => self.credentials.invalidate_all(),
            Event::Revoked { subject: Subject::User(_) | Subject::Device(_), .. }
            | Event::AccountChanged(..)
            | Event::AccountNotice(..)
            | Event::ChatChanged(_) => {}
        }
    }
}

/// Takes a remembered value or looks it up, once for all who ask at the same time.
pub async fn remembered<K, V>(
    cache: &Cache<K, V>,
    key: K,
    look_up: impl Future<Output = Result<V, Miss>>,
) -> Result<Option<V>, Failure>
where
    K: std::hash::Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    match cache.try_get_with(key, look_up).await {
        Ok(value) => Ok(Some(value)),
        Err(miss) => match Arc::unwrap_or_clone(miss) {
            Miss::Absent => Ok(None),
            Miss::Failed(failure) => Err(failure),
        },
    }
}
