//! How the contract words a refusal: the one place.

use plasma_kit::status::ErrorReason;
use plasma_kit::{Failure, convert};
use tonic::Code;

use crate::domain::{NotDue, Refusal};

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
            Refusal::RecoveryKitNotFound => Self::not_found("recovery kit"),
            Refusal::ResetNotDue(not_due) => reset_not_due(not_due, text),
            Refusal::LinkingNotFound => Self::not_found("linking"),
            Refusal::LinkingNotOpen(cause) => {
                Self::precondition(ErrorReason::LinkingNotOpen, text).with("cause", cause.name())
            }
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

fn reset_not_due(not_due: NotDue, text: String) -> Failure {
    let failure =
        Failure::precondition(ErrorReason::ResetNotDue, text).with("cause", not_due.name());
    match not_due {
        NotDue::Pending(effective_at) => {
            failure.with("effective_time", convert::timestamp(effective_at).to_string())
        }
        NotDue::NotRequested | NotDue::Expired => failure,
    }
}
