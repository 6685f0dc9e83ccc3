//! How the contract words a refusal: the one place.

use plasma_kit::Failure;
use plasma_kit::status::ErrorReason;
use tonic::Code;

use crate::domain::Refusal;

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Undecodable { field, rule } => Self::invalid(&field, rule),
            Refusal::Identity(cause) => {
                Self::precondition(ErrorReason::IdentityRefused, text).with("cause", cause.name())
            }
            Refusal::UserHasDevices => Self::precondition(ErrorReason::UserHasDevices, text),
            Refusal::ManifestConflict => {
                Self::new(Code::Aborted, ErrorReason::ManifestConflict, text)
            }
            Refusal::DeviceLimit => Self::limit_reached("devices", text),
            Refusal::PrekeyLimit => Self::limit_reached("one_time_prekeys", text),
            Refusal::LinkLimit => Self::limit_reached("active_links", text),
            Refusal::UserNotFound => Self::not_found("user"),
            Refusal::DeviceNotFound => Self::not_found("device"),
            Refusal::LinkNotFound => Self::not_found("link"),
            Refusal::ChatNotFound => Self::not_found("chat"),
            Refusal::ReportNotFound => Self::not_found("report"),
            Refusal::LinkNotActive => Self::precondition(ErrorReason::LinkNotActive, text),
            Refusal::OwnLink => Self::precondition(ErrorReason::OwnLink, text),
            Refusal::CrossPlatformNotAllowed => {
                Self::precondition(ErrorReason::CrossPlatformNotAllowed, text)
            }
            Refusal::ChatBlocked => Self::precondition(ErrorReason::ChatBlocked, text),
            Refusal::ChatClosed => Self::precondition(ErrorReason::ChatClosed, text),
            Refusal::AccessRequired => Self::precondition(ErrorReason::AccessRequired, text),
        }
    }
}
