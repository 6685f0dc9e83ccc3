//! Where a link leads, and whether the caller may follow it.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::TenantId;
use plasma_kit::paging;
use plasma_kit::{StoreError, convert};
use plasma_proto::messaging::v1 as pb;

use crate::Messaging;
use crate::directory::PeerScope;
use crate::domain::{LinkToken, Refusal, UserKey};
use crate::ports::{Standing, Terms};
use crate::store;
use crate::store::links::Link;

/// The owner of a link that the caller may follow.
#[derive(Debug)]
pub(super) struct Target {
    /// The right to see the owner's account.
    pub scope: PeerScope,
    /// What the owner's platform allows and is called.
    pub terms: Terms,
}

impl Target {
    /// The owner.
    pub(super) fn owner(&self) -> UserKey {
        (self.scope.tenant(), self.scope.user())
    }
}

/// Follows a link: `NOT_FOUND`, `LINK_NOT_ACTIVE`, `OWN_LINK`, `CROSS_PLATFORM_NOT_ALLOWED`.
pub(super) async fn follow(
    messaging: &Messaging,
    caller: DeviceActor,
    token: &str,
) -> Result<Target, Failure> {
    let token = LinkToken::parse(token)
        .ok_or_else(|| Failure::invalid("link_token", "must be 22 characters of base64url"))?;
    let db = messaging.db.tenant(TenantClaim::of_device(&caller));
    let link = store::links::resolve(&db, &token).await?.ok_or(Refusal::LinkNotFound)?;
    if link.revoked_at.is_some() {
        return Err(Refusal::LinkNotActive.into());
    }
    if (link.tenant, link.user) == (caller.tenant, caller.user) {
        return Err(Refusal::OwnLink.into());
    }
    if messaging.tenants.standing(link.tenant, link.user).await? != Standing::Active {
        return Err(Refusal::LinkNotActive.into());
    }
    let terms = terms_of(messaging, link.tenant).await?;
    if link.tenant != caller.tenant {
        let own = terms_of(messaging, caller.tenant).await?;
        let allowed = own.allow_other_platforms && terms.allow_other_platforms;
        if !allowed || own.sandbox != terms.sandbox {
            return Err(Refusal::CrossPlatformNotAllowed.into());
        }
    }
    Ok(Target { scope: PeerScope::of_link(&link), terms })
}

/// The terms of a tenant that a verified row names.
async fn terms_of(messaging: &Messaging, tenant: TenantId) -> Result<Terms, Failure> {
    messaging.tenants.terms(tenant).await?.ok_or_else(|| {
        tracing::error!(%tenant, "a user's tenant is absent");
        Failure::internal()
    })
}

/// Where the links of a tenant point.
pub(super) async fn base_url(messaging: &Messaging, tenant: TenantId) -> Result<String, Failure> {
    let base = terms_of(messaging, tenant).await?.link_base_url;
    Ok(if base.is_empty() { messaging.public_url.clone() } else { base })
}

/// A link as its owner sees it.
pub(super) fn write(
    messaging: &Messaging,
    base: &str,
    link: &Link,
) -> Result<pb::Link, StoreError> {
    Ok(pb::Link {
        link_id: link.id.to_string(),
        url: link.token(&messaging.secrets)?.url(base),
        create_time: Some(convert::timestamp(link.created_at)),
        revoke_time: link.revoked_at.map(convert::timestamp),
    })
}

/// The place of a link in a list, newest first.
pub(super) fn cursor(link: &Link) -> paging::Cursor {
    paging::Cursor { key: link.created_at.0, id: link.id.0 }
}
