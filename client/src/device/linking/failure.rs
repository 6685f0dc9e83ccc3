//! Why a linking failed, in words for the person who holds the two devices.

use plasma_e2ee::LinkingError;
use plasma_identity::MAX_DEVICES;
use plasma_proto::error::v1::ErrorReason;

use crate::device::OwnDevice;
use crate::error::Error;

/// Why a device was not linked. On both devices everything is as before, and the new one can show
/// another code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkingFailure {
    /// The text is no linking code.
    #[error(
        "This is not the code of a device that waits to be linked. Scan the code that the new \
         device shows under “link to my account”."
    )]
    NotACode,
    /// The two minutes are over.
    #[error("The code has expired: it lasts two minutes. Show a new code on the new device.")]
    Expired,
    /// The code was used.
    #[error(
        "The code has been used: this or another of your devices has answered it already. If that \
         was not you, decline there. Show a new code on the new device."
    )]
    Taken,
    /// The linking is not one of this user.
    #[error(
        "The code is not for your account: the new device was signed in as somebody else, or the \
         code is an old one. Sign in there as yourself and show a new code."
    )]
    WrongAccount,
    /// There is nothing to join.
    #[error("There is no account to join yet: set this device up as the first one.")]
    NoAccount,
    /// The approver's person said no.
    #[error("The other device declined to add this one.")]
    Declined,
    /// The approver is not one.
    #[error(
        "This device may not add others. Scan the code with a device that may, such as your first one."
    )]
    NotApprover,
    /// The account is full.
    #[error(
        "Your account has {MAX_DEVICES} devices already, which is the most. Remove one that you no \
         longer use, then scan the code again. You have: {}.", list(.0)
    )]
    TooManyDevices(Vec<OwnDevice>),
    /// A message was changed, or comes from somebody who has not seen the code.
    #[error(
        "What came from the other device was changed on the way, or comes from somebody else. \
         Nothing was linked. Show a new code, and try another network if this happens again. ({0})"
    )]
    Tampered(LinkingError),
    /// The account that the service shows does not list this device.
    #[error(
        "The other device has approved this one, but the service shows a list of devices without \
         it. Nothing was linked. Show a new code."
    )]
    NotListed,
}

fn list(devices: &[OwnDevice]) -> String {
    let names: Vec<_> = devices.iter().map(ToString::to_string).collect();
    names.join(", ")
}

impl LinkingFailure {
    /// Reads a refusal of the service to relay; `None` where it is about something else.
    pub(super) fn of(error: &Error) -> Option<Self> {
        match error.reason()? {
            ErrorReason::NotFound => Some(Self::WrongAccount),
            ErrorReason::LinkingNotOpen => Some(match error.cause() {
                Some("expired") => Self::Expired,
                _ => Self::Taken,
            }),
            _ => None,
        }
    }
}

impl From<LinkingError> for LinkingFailure {
    fn from(error: LinkingError) -> Self {
        match error {
            LinkingError::NotALinkingCode => Self::NotACode,
            LinkingError::WrongAccount => Self::WrongAccount,
            other => Self::Tampered(other),
        }
    }
}

impl From<LinkingError> for Error {
    fn from(error: LinkingError) -> Self {
        Self::Linking(error.into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};
    use uuid::Uuid;

    use super::*;

    fn refused(reason: ErrorReason, cause: &str) -> Option<LinkingFailure> {
        let metadata = HashMap::from([("cause".to_owned(), cause.to_owned())]);
        let details = ErrorDetails::with_error_info(reason.as_str_name(), "plasma", metadata);
        let status = Status::with_error_details(Code::FailedPrecondition, "no", details);
        LinkingFailure::of(&Error::from(status))
    }

    #[test]
    fn each_refusal_of_the_service_has_its_own_words() {
        let closed = |cause| refused(ErrorReason::LinkingNotOpen, cause);
        assert_eq!(closed("expired"), Some(LinkingFailure::Expired));
        assert_eq!(closed("taken"), Some(LinkingFailure::Taken));
        assert_eq!(refused(ErrorReason::NotFound, ""), Some(LinkingFailure::WrongAccount));
        assert_eq!(refused(ErrorReason::RateLimited, ""), None);
    }

    #[test]
    fn a_full_account_names_its_devices() {
        let device = |name: Option<&str>, is_this_device| OwnDevice {
            id: Uuid::nil(),
            name: name.map(str::to_owned),
            may_approve: true,
            is_this_device,
            add_seconds: 0,
        };
        let full =
            LinkingFailure::TooManyDevices(vec![device(Some("Phone"), true), device(None, false)]);
        let words = full.to_string();
        assert!(words.contains("10 devices"), "{words}");
        assert!(words.ends_with("Phone (this one), a device without a name."), "{words}");
    }
}
