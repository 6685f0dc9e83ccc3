//! What billing asks the other contexts. The binary adapts both.

use async_trait::async_trait;

use plasma_kit::ids::{ChatId, TenantId, UserId};
use plasma_kit::{Failure, Zone};

/// On what terms a tenant's users are paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Whether access to the tenant's users costs nothing; the price list is then not looked at.
    pub free: bool,
    /// Whether the operator suspended the tenant: nobody can use it.
    pub suspended: bool,
    /// The operator's share of each charge, in basis points: 0 to 10,000.
    pub operator_share_basis_points: u32,
    /// Whether the tenant is a sandbox, whose clock can be moved. Never changes.
    pub sandbox: bool,
    /// By whose calendar the tenant's days begin.
    pub time_zone: Zone,
}

/// Who is at the other end of a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties {
    /// The tenant of the asking user's peer.
    pub recipient_tenant: TenantId,
    /// The asking user's peer.
    pub recipient_user: UserId,
    /// Whether the chat is closed.
    pub closed: bool,
    /// Whether one of the two has blocked it.
    pub blocked: bool,
}

/// What the tenant context knows.
#[async_trait]
pub trait Tenants: Send + Sync {
    /// The tenant's terms; `None` where there is no such tenant.
    async fn terms(&self, tenant: TenantId) -> Result<Option<Terms>, Failure>;

    /// Whether the tenant has this user.
    async fn user_exists(&self, tenant: TenantId, user: UserId) -> Result<bool, Failure>;

    /// The platform's own id of a user, by which its wallet knows the user; `None` where there is no
    /// such user.
    async fn partner_user_id(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<Option<String>, Failure>;
}

/// What the messaging context knows.
#[async_trait]
pub trait Chats: Send + Sync {
    /// The peer of a user in a chat; `None` where the user has no such chat.
    async fn parties(
        &self,
        tenant: TenantId,
        user: UserId,
        chat: ChatId,
    ) -> Result<Option<Parties>, Failure>;
}
