//! Why this context says no.

use plasma_identity::{ChainError, PrekeyError, RecoveryKitError};

use super::account_reset::NotDue;
use super::identity_cause::IdentityCause;
use super::linking::LinkingCause;

/// A refusal that the caller can do something about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field does not hold what its name says.
    #[error("{field} {rule}")]
    Undecodable {
        /// The field's path.
        field: String,
        /// What it must hold.
        rule: &'static str,
    },
    /// A certificate, manifest, prekey or recovery kit breaks a rule.
    #[error("the identity is refused: {}", .0.name())]
    Identity(IdentityCause),
    /// The user has devices; a platform's token alone adds none.
    #[error("the user has devices already")]
    UserHasDevices,
    /// The manifest does not follow the one in force.
    #[error("the manifest does not follow the one in force")]
    ManifestConflict,
    /// The account has as many devices as a manifest can list.
    #[error("the account has 10 devices already")]
    DeviceLimit,
    /// The device has as many one-time prekeys of a kind as it may.
    #[error("the device would have more than 200 one-time prekeys of a kind")]
    PrekeyLimit,
    /// The user has as many active links as it may.
    #[error("the user has 100 active links already")]
    LinkLimit,
    /// There is no such user, or it is not the caller's to see.
    #[error("user not found")]
    UserNotFound,
    /// There is no such device.
    #[error("device not found")]
    DeviceNotFound,
    /// The user keeps no recovery kit.
    #[error("recovery kit not found")]
    RecoveryKitNotFound,
    /// No reset of the account is due.
    #[error("no reset of the account is due: {0}")]
    ResetNotDue(NotDue),
    /// There is no such linking of the caller's user.
    #[error("linking not found")]
    LinkingNotFound,
    /// The linking does not take this.
    #[error("the linking does not take this: {}", .0.name())]
    LinkingNotOpen(LinkingCause),
    /// There is no such link.
    #[error("link not found")]
    LinkNotFound,
    /// There is no such chat of the caller.
    #[error("chat not found")]
    ChatNotFound,
    /// There is no such report about a user of the caller's tenant.
    #[error("report not found")]
    ReportNotFound,
    /// The link was revoked, or its owner cannot be reached.
    #[error("the contact link is not active")]
    LinkNotActive,
    /// The link is the caller's own.
    #[error("a user cannot open a chat with itself")]
    OwnLink,
    /// One of the two platforms does not allow chats with users of the other.
    #[error("one of the two platforms does not allow chats with users of the other")]
    CrossPlatformNotAllowed,
    /// The chat is blocked.
    #[error("one of the two users blocked the chat")]
    ChatBlocked,
    /// The chat is closed.
    #[error("the chat is closed")]
    ChatClosed,
    /// There is no pass in force.
    #[error("the chat has no access in force")]
    AccessRequired,
}

impl From<ChainError> for Refusal {
    fn from(error: ChainError) -> Self {
        Self::Identity(IdentityCause::Chain(error))
    }
}

impl From<PrekeyError> for Refusal {
    fn from(error: PrekeyError) -> Self {
        Self::Identity(IdentityCause::Prekey(error))
    }
}

impl From<RecoveryKitError> for Refusal {
    fn from(error: RecoveryKitError) -> Self {
        Self::Identity(IdentityCause::RecoveryKit(error))
    }
}

impl From<IdentityCause> for Refusal {
    fn from(cause: IdentityCause) -> Self {
        Self::Identity(cause)
    }
}

impl From<NotDue> for Refusal {
    fn from(not_due: NotDue) -> Self {
        Self::ResetNotDue(not_due)
    }
}

impl From<LinkingCause> for Refusal {
    fn from(cause: LinkingCause) -> Self {
        Self::LinkingNotOpen(cause)
    }
}
