//! How a platform's signed token becomes a user.

use std::sync::Arc;

use plasma_kit::db::{StoreError, TenantClaim};
use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::{Failure, TenantDb};

use crate::cache::remembered;
use crate::domain::examination::{Examination, Part, Voucher, examine};
use crate::domain::identity_provider::IdentityProvider;
use crate::domain::tenant::Tenant;
use crate::domain::user::{User, UserState};
use crate::error::Error;
use crate::store;
use crate::tenants::Tenants;

impl Tenants {
    /// Verifies a platform's token, uses it up, and names the user that it vouches for; creates the
    /// user at its first token.
    ///
    /// Fails with `PLATFORM_TOKEN_INVALID`, in the same words whatever the cause, with
    /// `TENANT_SUSPENDED`, with `USER_BLOCKED` and with `RATE_LIMITED` (in both cases the token is not
    /// used up).
    pub async fn accept_platform_token(
        &self,
        tenant: TenantId,
        token: &str,
    ) -> Result<UserId, Failure> {
        let found = self.remembered_tenant(tenant).await?.ok_or(Error::PlatformTokenRefused)?;
        if found.is_suspended() {
            return Err(Error::TenantSuspended.into());
        }
        let db = self.db.tenant(TenantClaim::authenticating(tenant));
        let examination = examine(token, &self.providers(&db, tenant).await?, self.env.now());
        let voucher = examination.into_voucher().ok_or_else(|| {
            tracing::debug!(%tenant, "a platform token did not pass its examination");
            Error::PlatformTokenRefused
        })?;
        if store::used_tokens::is_used(&db, voucher.presented()).await? {
            return Err(Error::PlatformTokenRefused.into());
        }
        let known = store::users::find(&db, &self.secrets, &voucher.presented().subject).await?;
        if known.is_some_and(|user| user.state == UserState::Blocked) {
            return Err(Error::UserBlocked.into());
        }
        // Only now: whoever is no platform, is blocked by it, or repeats its word takes no place of
        // its users.
        self.exchange_limit.take_everywhere(tenant).await?;
        let user = self.admit(&db, &voucher).await??;
        Ok(user.id)
    }

    /// Examines a token as [`Tenants::accept_platform_token`] does, with what the records say of
    /// it, and uses nothing up.
    pub(crate) async fn examine_token(
        &self,
        db: &TenantDb,
        tenant: &Tenant,
        token: &str,
    ) -> Result<Examination, Failure> {
        let providers = self.providers(db, tenant.id).await?;
        let mut examination = examine(token, &providers, self.env.now());
        if tenant.is_suspended() {
            examination.object(Part::Iss, "the tenant is suspended; no token of it is accepted");
        }
        if let Some(presented) = examination.presented() {
            let spent = store::used_tokens::is_used(db, presented).await?;
            let user = store::users::find(db, &self.secrets, &presented.subject).await?;
            if spent {
                examination.object(Part::Jti, "a token with this `iss` and `jti` was used already");
            }
            if user.is_some_and(|user| user.state == UserState::Blocked) {
                examination.object(Part::Sub, "the user is blocked by the platform");
            }
        }
        Ok(examination)
    }

    /// The tenant's identity providers, at most 3 seconds old.
    async fn providers(
        &self,
        db: &TenantDb,
        tenant: TenantId,
    ) -> Result<Arc<Vec<IdentityProvider>>, Failure> {
        let look_up = async { Ok(Arc::new(store::identity_providers::list(db).await?)) };
        let providers = remembered(&self.caches.providers, tenant, look_up).await?;
        Ok(providers.unwrap_or_default())
    }

    /// Uses the voucher up and finds or makes its user, in one transaction.
    async fn admit(
        &self,
        db: &TenantDb,
        voucher: &Voucher,
    ) -> Result<Result<User, Error>, StoreError> {
        let tx = db.begin().await?;
        if !store::used_tokens::use_up(&tx, voucher).await? {
            tx.rollback().await?;
            return Ok(Err(Error::PlatformTokenRefused));
        }
        let user = store::users::admit(&tx, &self.env, &self.secrets, voucher).await?;
        if user.state == UserState::Blocked {
            tx.rollback().await?;
            return Ok(Err(Error::UserBlocked));
        }
        tx.commit().await?;
        Ok(Ok(user))
    }
}
