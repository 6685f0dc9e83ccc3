//! What this context knows, in the words of the contract.

use std::time::Duration;

use plasma_kit::convert::{duration, span, timestamp};
use plasma_kit::zone::{self, Zone};
use plasma_proto::tenant::v1 as pb;

use crate::domain::api_key::{ApiKey, Scopes};
use crate::domain::examination::Check;
use crate::domain::identity_provider::IdentityProvider;
use crate::domain::tenant::{ACCOUNT_RESET_DELAY, AccessMode, Policy, Tenant, TenantState};
use crate::domain::user::{User, UserState};
use crate::error::Error;

pub fn tenant(tenant: &Tenant) -> pb::Tenant {
    let state = match tenant.state {
        TenantState::Active => pb::TenantState::Active,
        TenantState::Suspended => pb::TenantState::Suspended,
    };
    let access_mode = match tenant.policy.access_mode {
        AccessMode::Free => pb::AccessMode::Free,
        AccessMode::Paid => pb::AccessMode::Paid,
    };
    pb::Tenant {
        tenant_id: tenant.id.to_string(),
        display_name: tenant.display_name.clone(),
        link_base_url: tenant.link_base_url.as_str().to_owned(),
        policy: Some(pb::TenantPolicy {
            access_mode: access_mode.into(),
            allow_other_platforms: tenant.policy.allow_other_platforms,
            account_reset_delay: Some(duration(tenant.policy.account_reset_delay)),
        }),
        operator_share_basis_points: tenant.operator_share_basis_points,
        state: state.into(),
        create_time: Some(timestamp(tenant.create_time)),
        sandbox: tenant.sandbox,
        time_zone: tenant.time_zone.name().to_owned(),
    }
}

/// Reads a time zone; UTC where it is empty.
pub fn time_zone(name: &str) -> Result<Zone, Error> {
    if name.is_empty() {
        return Ok(Zone::utc());
    }
    Zone::parse(name).ok_or_else(|| Error::invalid("time_zone", zone::RULE))
}

/// Reads a policy. The delay of resets is at least what the operator demands.
pub fn policy(
    policy: Option<pb::TenantPolicy>,
    account_reset_delay_min: Duration,
) -> Result<Policy, Error> {
    let missing = || Error::invalid("policy", "must be set");
    let policy = policy.ok_or_else(missing)?;
    let access_mode = match policy.access_mode() {
        // The contract's rules refuse it.
        pb::AccessMode::Unspecified => return Err(missing()),
        pb::AccessMode::Free => AccessMode::Free,
        pb::AccessMode::Paid => AccessMode::Paid,
    };
    let account_reset_delay = match policy.account_reset_delay.as_ref().map(span) {
        None => ACCOUNT_RESET_DELAY.max(account_reset_delay_min),
        Some(delay) if delay >= account_reset_delay_min => delay,
        Some(_) => {
            let least = account_reset_delay_min.as_secs();
            let rule = format!("must be at least {least} seconds, which the operator demands");
            return Err(Error::invalid("policy.account_reset_delay", rule));
        }
    };
    let allow_other_platforms = policy.allow_other_platforms;
    Ok(Policy { access_mode, allow_other_platforms, account_reset_delay })
}

pub fn api_key(key: &ApiKey) -> pb::ApiKey {
    let scope = |has: bool, scope: pb::ApiKeyScope| has.then_some(scope.into());
    let scopes = [
        scope(key.scopes.admin, pb::ApiKeyScope::Admin),
        scope(key.scopes.backend, pb::ApiKeyScope::Backend),
    ];
    pb::ApiKey {
        api_key_id: key.id.to_string(),
        secret_prefix: key.secret_prefix.clone(),
        label: key.label.clone(),
        scopes: scopes.into_iter().flatten().collect(),
        create_time: Some(timestamp(key.create_time)),
        revoke_time: key.revoke_time.map(timestamp),
    }
}

/// Reads the scopes of a request.
pub fn scopes(request: &pb::CreateApiKeyRequest) -> Scopes {
    Scopes {
        admin: request.scopes().any(|scope| scope == pb::ApiKeyScope::Admin),
        backend: request.scopes().any(|scope| scope == pb::ApiKeyScope::Backend),
    }
}

pub fn identity_provider(provider: &IdentityProvider) -> pb::IdentityProvider {
    pb::IdentityProvider {
        identity_provider_id: provider.id.to_string(),
        issuer: provider.issuer.clone(),
        audience: provider.audience.clone(),
        key_ids: provider.keys.ids(),
        create_time: Some(timestamp(provider.create_time)),
    }
}

pub fn token_check(check: &Check) -> pb::TokenCheck {
    pb::TokenCheck {
        part: check.part.name().to_owned(),
        passed: check.passed,
        explanation: check.explanation.clone(),
    }
}

pub fn user(user: &User) -> pb::User {
    let state = match user.state {
        UserState::Active => pb::UserState::Active,
        UserState::Blocked => pb::UserState::Blocked,
    };
    pb::User {
        user_id: user.id.to_string(),
        state: state.into(),
        create_time: Some(timestamp(user.create_time)),
    }
}
