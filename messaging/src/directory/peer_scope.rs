//! The right to reach another user's data.

use plasma_kit::db::TenantClaim;
use plasma_kit::ids::{TenantId, UserId};

use crate::domain::Member;
use crate::store::links::Link;

/// A user whose published keys and account the caller may read: made only from a chat that the two
/// have, or from a link that the caller holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PeerScope {
    tenant: TenantId,
    user: UserId,
}

impl PeerScope {
    /// The caller's own user.
    pub(crate) fn own(actor: &plasma_kit::actor::DeviceActor) -> Self {
        Self { tenant: actor.tenant, user: actor.user }
    }

    /// The other user of a chat.
    pub(crate) fn of_member(member: &Member) -> Self {
        Self { tenant: member.peer.0, user: member.peer.1 }
    }

    /// The owner of a link.
    pub(crate) fn of_link(link: &Link) -> Self {
        Self { tenant: link.tenant, user: link.user }
    }

    /// The claim on the user's tenant.
    pub(crate) fn claim(&self) -> TenantClaim {
        TenantClaim::of_peer(self.tenant)
    }

    /// The user's tenant.
    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The user.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }
}
