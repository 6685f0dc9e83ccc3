//! The linking channel: a new device shows a code, an approver scans it, and three messages later
//! the new device is part of the account, or is not.
//!
//! Whoever relays the messages learns nothing of them. Both people's screens show the same check
//! code exactly if no other device sits between them. A linking lives in memory for its two
//! minutes; it has no stored form.

mod approver;
mod channel;
mod device;
mod request;

pub use self::approver::LinkingApprover;
pub use self::device::{DeviceChannel, Grant, LinkingDevice};
pub use self::request::LinkingRequest;

use plasma_identity::PrekeyError;
use plasma_identity::encoding::DecodeError;

use crate::padding::MAX_CONTENT_LENGTH;

/// Longest payload of a grant, in bytes.
pub const MAX_GRANT_LENGTH: usize = MAX_CONTENT_LENGTH - 1;

/// Why a step of a linking failed. Both sides' state is as it was before.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinkingError {
    /// The text is not the code of a device that waits to be linked.
    #[error("the code is not that of a device to be linked")]
    NotALinkingCode,
    /// The bytes are not a message of a linking, or a part of it is not what it should be.
    #[error("malformed linking message: {0}")]
    Malformed(#[from] DecodeError),
    /// The message is not the next one: it came before, too early, or from the wrong side.
    #[error("the linking message is out of turn")]
    OutOfTurn,
    /// The message was changed, or is of another linking, user or device.
    #[error("the linking message does not authenticate")]
    Unauthentic,
    /// The body is not padded as specified.
    #[error("the body is not padded as specified")]
    BadPadding,
    /// The payload is longer than [`MAX_GRANT_LENGTH`].
    #[error("the payload is too long")]
    TooLong,
    /// The name is empty, longer than 64 bytes, or has characters that deceive.
    #[error("the device's name is empty, too long or has forbidden characters")]
    BadName,
    /// The certificate request is for another user or another account.
    #[error("the request is for another account")]
    WrongAccount,
    /// The certificate request is not signed by the key that it names.
    #[error("the request is not signed by its own key")]
    BadRequest,
    /// A prekey has another role than its place in the request.
    #[error("a prekey has the wrong role")]
    WrongRole,
    /// A prekey is of another device or badly signed.
    #[error("a prekey must not be used: {0}")]
    Prekey(#[from] PrekeyError),
}
