//! Whose API key a secret is.

use plasma_kit::Failure;
use plasma_kit::actor::KeyActor;

use crate::cache::{Miss, remembered};
use crate::domain::api_key::Secret;
use crate::domain::tenant::TenantState;
use crate::error::Error;
use crate::store;
use crate::tenants::Tenants;

impl Tenants {
    /// Finds the active key of a secret.
    ///
    /// A key that was found is remembered for 3 seconds at most, less where an event tells of its
    /// revocation. Fails with UNAUTHENTICATED where the key is unknown or revoked, and with
    /// `TENANT_SUSPENDED`.
    pub async fn authenticate_key(&self, secret: &str) -> Result<KeyActor, Failure> {
        let secret = Secret::presented(secret).ok_or(Error::ApiKeyRefused)?.hash();
        let system = self.db.system();
        let look_up = async {
            let credential = store::api_keys::authenticate(&system, secret).await?;
            credential.ok_or(Miss::Absent)
        };
        let credential = remembered(&self.caches.credentials, secret, look_up)
            .await?
            .ok_or(Error::ApiKeyRefused)?;
        match credential.tenant_state {
            TenantState::Active => Ok(credential.actor),
            TenantState::Suspended => Err(Error::TenantSuspended.into()),
        }
    }
}
