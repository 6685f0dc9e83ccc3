//! What messaging must know of the other contexts, adapted where the binary is wired.

use std::time::Duration;

use async_trait::async_trait;
use plasma_kit::ids::{ChatId, MessageId, TenantId, UserId};
use plasma_kit::{Failure, Timestamp};
use plasma_proto::billing::v1 as billing;

/// What a platform allows, and where its links point.
#[derive(Debug, Clone)]
pub struct Terms {
    /// The platform's name, shown to people.
    pub display_name: String,
    /// Where its links point; empty: the service's own landing page.
    pub link_base_url: String,
    /// Whether users of other platforms may chat with its users.
    pub allow_other_platforms: bool,
    /// How long the devices of a user have to cancel a reset of its account.
    pub account_reset_delay: Duration,
    /// Whether the operator suspended it.
    pub suspended: bool,
    /// Whether it is a sandbox, whose users chat with users of sandboxes only.
    pub sandbox: bool,
}

/// Whether a user may use the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In use.
    Active,
    /// Blocked by its platform.
    Blocked,
    /// Its platform is suspended.
    TenantSuspended,
    /// There is no such user.
    Absent,
}

/// Who vouches for users.
#[async_trait]
pub trait Tenants: Send + Sync + 'static {
    /// What a tenant allows, at most 5 seconds old; `None` where there is no such tenant.
    async fn terms(&self, tenant: TenantId) -> Result<Option<Terms>, Failure>;

    /// Verifies a platform's user token and uses it up.
    async fn accept_platform_token(&self, tenant: TenantId, token: &str)
    -> Result<UserId, Failure>;

    /// Whether a user may use the service.
    async fn standing(&self, tenant: TenantId, user: UserId) -> Result<Standing, Failure>;
}

/// One payment for access.
#[derive(Debug, Clone)]
pub struct Purchase {
    /// The chat that it opens.
    pub chat: ChatId,
    /// Who pays.
    pub payer: (TenantId, UserId),
    /// Whose price it is.
    pub recipient: (TenantId, UserId),
    /// What the payer saw and accepts.
    pub accepted: billing::AcceptedPrice,
}

/// A pass, as far as writing depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassTerm {
    /// When access ends; `None` where it does not.
    pub expires_at: Option<Timestamp>,
    /// Whose messages it pays for one by one; `None` where it counts none.
    pub counts: Option<(TenantId, UserId)>,
}

/// A message as far as it is paid for: another digest is another message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Counted {
    /// The chat.
    pub chat: ChatId,
    /// Who sends it, and pays.
    pub sender: (TenantId, UserId),
    /// The message.
    pub message: MessageId,
    /// Over all that is sent under the message's id.
    pub digest: [u8; 32],
}

/// What access to a chat costs, and who has it.
#[async_trait]
pub trait Access: Send + Sync + 'static {
    /// What opening a chat with `recipient` costs `payer` now.
    async fn quote(
        &self,
        payer: (TenantId, UserId),
        recipient: (TenantId, UserId),
    ) -> Result<billing::Quote, Failure>;

    /// Refuses an accepted price that no price can be, naming the field. Asks nobody: it is for
    /// before anything is stored.
    fn check_accepted(&self, accepted: &billing::AcceptedPrice) -> Result<(), Failure>;

    /// Charges and grants access together, or does neither. Safe to repeat: a pass in force is
    /// the answer and nothing is charged.
    async fn purchase(&self, purchase: Purchase) -> Result<billing::Pass, Failure>;

    /// The pass in force for a chat.
    async fn active_pass(&self, chat: ChatId) -> Result<Option<billing::Pass>, Failure>;

    /// The term of the pass in force for a chat, for the hot path.
    async fn pass_term(&self, chat: ChatId) -> Result<Option<PassTerm>, Failure>;

    /// Pays for a message with a unit that its sender has bought, unless it is paid for already.
    /// `ACCESS_REQUIRED` where no unit is left.
    async fn spend(&self, message: Counted) -> Result<(), Failure>;
}
