//! Why this context says no.

use plasma_identity::{ChainError, PrekeyError};

use super::identity_cause::IdentityCause;

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
    /// A certificate, manifest or prekey breaks a rule.
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

impl From<IdentityCause> for Refusal {
    fn from(cause: IdentityCause) -> Self {
        Self::Identity(cause)
    }
}
