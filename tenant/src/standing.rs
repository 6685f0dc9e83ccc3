//! What other contexts ask about a tenant and its users.

use std::sync::Arc;
use std::time::Duration;

use plasma_kit::db::TenantClaim;
use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::{Failure, Zone};

use crate::cache::{Miss, remembered};
use crate::domain::tenant::{AccessMode, Tenant, TenantState};
use crate::domain::user::UserState;
use crate::store;
use crate::tenants::Tenants;

/// What a tenant is called and allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The name shown to people who follow one of its links.
    pub display_name: String,
    /// Where its contact links point, without a trailing slash; empty for the service's own
    /// landing page.
    pub link_base_url: String,
    /// Whether opening a chat with one of its users is free or paid.
    pub access_mode: AccessMode,
    /// Whether users of other platforms may chat with its users.
    pub allow_other_platforms: bool,
    /// How long the devices of a user have to cancel a reset of its account: what the tenant says,
    /// and at least what the operator demands now.
    pub account_reset_delay: Duration,
    /// The operator's share of each charge, 0 to 10,000 basis points.
    pub operator_share_basis_points: u32,
    /// Whether every call of the tenant and its users is refused.
    pub suspended: bool,
    /// Whether it is a sandbox. Never changes.
    pub sandbox: bool,
    /// By whose calendar its days begin.
    pub time_zone: Zone,
}

/// Whether a user may use the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The user may.
    Active,
    /// The user's platform blocked it.
    Blocked,
    /// The user's platform is suspended.
    TenantSuspended,
    /// There is no such user, or no such tenant.
    Absent,
}

impl Tenants {
    /// What a tenant is called and allows, at most 3 seconds old; `None` where there is no such
    /// tenant.
    pub async fn terms(&self, tenant: TenantId) -> Result<Option<Terms>, Failure> {
        Ok(self.remembered_tenant(tenant).await?.map(|tenant| Terms {
            display_name: tenant.display_name.clone(),
            link_base_url: tenant.link_base_url.as_str().to_owned(),
            access_mode: tenant.policy.access_mode,
            allow_other_platforms: tenant.policy.allow_other_platforms,
            account_reset_delay: tenant
                .policy
                .account_reset_delay
                .max(self.account_reset_delay_min),
            operator_share_basis_points: tenant.operator_share_basis_points,
            suspended: tenant.is_suspended(),
            sandbox: tenant.sandbox,
            time_zone: tenant.time_zone,
        }))
    }

    /// Whether a user may use the service, now.
    pub async fn user_standing(&self, tenant: TenantId, user: UserId) -> Result<Standing, Failure> {
        let db = self.db.tenant(TenantClaim::authenticating(tenant));
        Ok(match store::users::standing(&db, user).await? {
            None | Some((TenantState::Active, None)) => Standing::Absent,
            Some((TenantState::Suspended, _)) => Standing::TenantSuspended,
            Some((TenantState::Active, Some(UserState::Blocked))) => Standing::Blocked,
            Some((TenantState::Active, Some(UserState::Active))) => Standing::Active,
        })
    }

    /// The platform's own id of a user, to name it to the platform again; `None` where there is no
    /// such user. Never for a log.
    pub async fn partner_user_id(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<String>, Failure> {
        let db = self.db.tenant(TenantClaim::authenticating(tenant));
        Ok(store::users::partner_user_id(&db, &self.secrets, user).await?)
    }

    /// A tenant, at most 3 seconds old.
    pub(crate) async fn remembered_tenant(
        &self,
        tenant: TenantId,
    ) -> Result<Option<Arc<Tenant>>, Failure> {
        let db = self.db.tenant(TenantClaim::authenticating(tenant));
        let look_up = async { store::tenants::load(&db).await?.map(Arc::new).ok_or(Miss::Absent) };
        remembered(&self.caches.tenants, tenant, look_up).await
    }
}
