//! Whose API key a secret is.

use std::time::Duration;

use plasma_kit::Failure;
use plasma_kit::actor::KeyActor;
use tokio::sync::SemaphorePermit;

use crate::cache::{Miss, remembered};
use crate::domain::api_key::{Secret, SecretHash};
use crate::domain::tenant::TenantState;
use crate::error::Error;
use crate::store;
use crate::tenants::Tenants;

/// How long a key waits to be looked up.
const LOOK_UP_WAIT_MAX: Duration = Duration::from_millis(500);

impl Tenants {
    /// Finds the active key of a secret.
    ///
    /// A key that was found is remembered for 3 seconds at most, less where an event tells of its
    /// revocation. Fails with UNAUTHENTICATED where the key is unknown or revoked, with
    /// `TENANT_SUSPENDED`, and with `RATE_LIMITED` while too many unknown ones are looked up.
    pub async fn authenticate_key(&self, secret: &str) -> Result<KeyActor, Failure> {
        let secret = Secret::presented(secret).ok_or(Error::ApiKeyRefused)?.hash();
        let system = self.db.system();
        let look_up = async {
            let _place = self.place_of(&secret).await?;
            let credential = store::api_keys::authenticate(&system, secret).await?;
            let credential = credential.ok_or(Miss::Absent)?;
            self.caches.proven.insert(secret, ()).await;
            Ok(credential)
        };
        let credential = remembered(&self.caches.credentials, secret, look_up)
            .await?
            .ok_or(Error::ApiKeyRefused)?;
        match credential.tenant_state {
            TenantState::Active => Ok(credential.actor),
            TenantState::Suspended => Err(Error::TenantSuspended.into()),
        }
    }

    /// A place among the unknown keys that are looked up. One that was good some time ago needs none.
    async fn place_of(&self, secret: &SecretHash) -> Result<Option<SemaphorePermit<'_>>, Miss> {
        if self.caches.proven.contains_key(secret) {
            return Ok(None);
        }
        let place = tokio::time::timeout(LOOK_UP_WAIT_MAX, self.key_look_ups.acquire()).await;
        match place {
            Ok(Ok(place)) => Ok(Some(place)),
            _ => Err(Miss::Failed(Failure::overloaded())),
        }
    }
}
