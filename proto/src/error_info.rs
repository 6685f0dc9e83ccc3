//! The shape of an error: a status with `google.rpc.ErrorInfo`, and `BadRequest` for bad input.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::check::Violation;
pub use crate::error::v1::ErrorReason;

/// The `domain` of every `ErrorInfo`.
pub const DOMAIN: &str = "plasma";

/// Begins the details of an error.
fn details(reason: ErrorReason, metadata: HashMap<String, String>) -> ErrorDetails {
    ErrorDetails::with_error_info(reason.as_str_name(), DOMAIN, metadata)
}

/// Says which field breaks its rule.
pub fn invalid_field(violation: &Violation) -> Status {
    let metadata = HashMap::from([("field".to_owned(), violation.field.clone())]);
    let mut details = details(ErrorReason::InvalidField, metadata);
    details.add_bad_request_violation(&violation.field, &violation.rule);
    let text = format!("{} {}", violation.field, violation.rule);
    Status::with_error_details(Code::InvalidArgument, text, details)
}

/// Says that the bytes are no message of the request's type.
pub fn malformed_request() -> Status {
    let details = details(ErrorReason::MalformedRequest, HashMap::new());
    let text = "the request is not a valid protobuf message of its type";
    Status::with_error_details(Code::InvalidArgument, text, details)
}

/// Reads the reason of a status that this service made; `None` where there is none.
pub fn reason_of(status: &Status) -> Option<ErrorReason> {
    let info = status.get_details_error_info()?;
    if info.domain != DOMAIN {
        return None;
    }
    ErrorReason::from_str_name(&info.reason)
}
