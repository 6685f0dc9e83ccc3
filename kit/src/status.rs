//! Errors as the contract defines them: a closed set of codes, a reason that programs branch on,
//! details that name fields and say when to retry. The only place that builds a [`Status`].

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::pb;

pub use plasma_proto::error::v1::ErrorReason;

/// A failure on its way to the caller.
#[derive(Debug, Clone)]
pub struct Failure(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: Code,
    reason: ErrorReason,
    text: String,
    metadata: BTreeMap<String, String>,
    violation: Option<(String, String)>,
    retry_after: Option<Duration>,
    detail: Option<Any>,
}

/// Most bytes of one metadata value: details ride in HTTP/2 trailers, which are small.
const METADATA_VALUE_BYTES_MAX: usize = 1_024;

impl Failure {
    /// Begins a failure.
    pub fn new(code: Code, reason: ErrorReason, text: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            code,
            reason,
            text: text.into(),
            metadata: BTreeMap::new(),
            violation: None,
            retry_after: None,
            detail: None,
        }))
    }

    /// A state of the world that the call cannot work with.
    pub fn precondition(reason: ErrorReason, text: impl Into<String>) -> Self {
        Self::new(Code::FailedPrecondition, reason, text)
    }

    /// A field breaks a rule.
    pub fn invalid(field: &str, rule: &str) -> Self {
        let mut failure =
            Self::new(Code::InvalidArgument, ErrorReason::InvalidField, format!("{field} {rule}"))
                .with("field", field);
        failure.0.violation = Some((field.to_owned(), rule.to_owned()));
        failure
    }

    /// The same failure where the field that breaks a rule stands inside `message`.
    #[must_use]
    pub fn within(self, message: &str) -> Self {
        match &self.0.violation {
            Some((field, rule)) => Self::invalid(&format!("{message}.{field}"), rule),
            None => self,
        }
    }

    /// There is no such object, or it is not the caller's to see: the same bytes for both.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, ErrorReason::NotFound, format!("{what} not found"))
    }

    /// The credential is missing, unknown, expired or revoked.
    pub fn unauthenticated() -> Self {
        Self::new(
            Code::Unauthenticated,
            ErrorReason::Unauthenticated,
            "the credential is missing, unknown, expired or revoked",
        )
    }

    /// This kind of principal may not call this RPC.
    pub fn principal_not_allowed() -> Self {
        Self::new(
            Code::PermissionDenied,
            ErrorReason::PrincipalNotAllowed,
            "this kind of credential may not call this method",
        )
    }

    /// The tenant is suspended.
    pub fn tenant_suspended() -> Self {
        Self::new(Code::PermissionDenied, ErrorReason::TenantSuspended, "the tenant is suspended")
    }

    /// The user is blocked by its platform.
    pub fn user_blocked() -> Self {
        Self::new(
            Code::PermissionDenied,
            ErrorReason::UserBlocked,
            "the user is blocked by its platform",
        )
    }

    /// A part of the service is out of reach.
    pub fn unavailable() -> Self {
        Self::new(Code::Unavailable, ErrorReason::Unavailable, "try again in a moment")
            .retry_after(Duration::from_millis(500))
    }

    /// The call took longer than it may.
    pub fn deadline() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            ErrorReason::DeadlineExceeded,
            "the deadline passed; the effect is unknown, retry with the same key",
        )
    }

    /// Another call changed the same object first.
    pub fn conflict() -> Self {
        Self::new(
            Code::Aborted,
            ErrorReason::Conflict,
            "another call changed the same object first; retry",
        )
    }

    /// Too many calls of this kind.
    pub fn rate_limited(retry_after: Duration) -> Self {
        Self::new(Code::ResourceExhausted, ErrorReason::RateLimited, "too many calls; slow down")
            .retry_after(retry_after)
    }

    /// More than this node can take now: nothing was done.
    pub fn overloaded() -> Self {
        Self::rate_limited(Duration::from_millis(250))
    }

    /// A limit of the object is reached.
    pub fn limit_reached(limit: &str, text: impl Into<String>) -> Self {
        Self::new(Code::ResourceExhausted, ErrorReason::LimitReached, text).with("limit", limit)
    }

    /// The idempotency key was used for another request.
    pub fn idempotency_key_reused() -> Self {
        Self::new(
            Code::AlreadyExists,
            ErrorReason::IdempotencyKeyReused,
            "this request_id was used for another request",
        )
    }

    /// A defect of the service. What it was goes to the log, not to the caller.
    pub fn internal() -> Self {
        Self::new(Code::Internal, ErrorReason::Internal, "internal error")
    }

    /// Adds a value for programs.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        let mut value = value.into();
        if value.len() > METADATA_VALUE_BYTES_MAX {
            let end = (0..=METADATA_VALUE_BYTES_MAX)
                .rev()
                .find(|end| value.is_char_boundary(*end))
                .unwrap_or_default();
            value.truncate(end);
        }
        self.0.metadata.insert(key.to_owned(), value);
        self
    }

    /// Says when to retry.
    #[must_use]
    pub fn retry_after(mut self, duration: Duration) -> Self {
        self.0.retry_after = Some(duration);
        self
    }

    /// Adds a typed detail of the contract, such as `plasma.billing.v1.PriceChanged`.
    #[must_use]
    pub fn detail(mut self, type_name: &str, message: &impl Message) -> Self {
        self.0.detail = Some(any(type_name, message));
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The reason.
    pub fn reason(&self) -> ErrorReason {
        self.0.reason
    }

    /// Writes the failure so that it can be stored and repeated, byte for byte.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_rpc_status().encode_to_vec()
    }

    /// The failure as `google.rpc.Status`.
    pub fn to_rpc_status(&self) -> pb::Status {
        let info = ErrorInfo {
            reason: self.0.reason.as_str_name().to_owned(),
            domain: plasma_proto::error_info::DOMAIN.to_owned(),
            metadata: self.0.metadata.clone(),
        };
        let mut details = vec![any("google.rpc.ErrorInfo", &info)];
        if let Some((field, description)) = &self.0.violation {
            let violation = pb::bad_request::FieldViolation {
                field: field.clone(),
                description: description.clone(),
                ..Default::default()
            };
            let bad = pb::BadRequest { field_violations: vec![violation] };
            details.push(any("google.rpc.BadRequest", &bad));
        }
        if let Some(delay) = self.0.retry_after {
            let retry = pb::RetryInfo { retry_delay: Some(crate::convert::duration(delay)) };
            details.push(any("google.rpc.RetryInfo", &retry));
        }
        details.extend(self.0.detail.clone());
        pb::Status { code: self.0.code as i32, message: self.0.text.clone(), details }
    }
}

/// `google.rpc.ErrorInfo` with its metadata in order, so that the same failure is the same bytes.
#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(btree_map = "string, string", tag = "3")]
    metadata: BTreeMap<String, String>,
}

fn any(type_name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{type_name}"), value: message.encode_to_vec() }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let details = failure.to_bytes();
        Self::with_details(failure.0.code, failure.0.text, details.into())
    }
}

/// Makes the status that [`Failure::to_bytes`] wrote.
pub fn from_bytes(bytes: &[u8]) -> Status {
    match pb::Status::decode(bytes) {
        Ok(status) => {
            Status::with_details(Code::from_i32(status.code), status.message, bytes.to_vec().into())
        }
        Err(_) => Failure::internal().into(),
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::{ErrorReason, Failure, Status, from_bytes};

    #[test]
    fn a_failure_names_its_reason_field_and_delay() {
        let status = Status::from(Failure::invalid("amount.minor_units", "must be more than 0"));
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "ERROR_REASON_INVALID_FIELD");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "amount.minor_units");
        let status = Status::from(Failure::unavailable());
        assert!(status.get_error_details().retry_info().unwrap().retry_delay.is_some());
    }

    #[test]
    fn the_same_failure_is_the_same_bytes() {
        let make =
            || Failure::conflict().with("a", "1").with("b", "2").with("c", "3").with("d", "4");
        let first = make().to_bytes();
        for _ in 0..16 {
            assert_eq!(make().to_bytes(), first);
        }
        let info = Status::from(make()).get_details_error_info().unwrap();
        assert_eq!((info.domain.as_str(), info.metadata["d"].as_str()), ("plasma", "4"));
    }

    #[test]
    fn a_stored_failure_is_repeated_byte_for_byte() {
        let failure = Failure::precondition(ErrorReason::PaymentRequired, "no").with("a", "b");
        let again = from_bytes(&failure.to_bytes());
        let first = Status::from(failure);
        assert_eq!((first.code(), first.message()), (again.code(), again.message()));
        assert_eq!(first.details(), again.details());
    }
}
