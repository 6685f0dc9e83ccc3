//! Why a call or stream failed, told apart as a client would: the service refuses, the connection is
//! gone, or nothing is heard.

use std::time::Duration;

use plasma_proto::error::v1::ErrorReason;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Why a call or stream failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CallError {
    /// The service answered with a status other than OK.
    #[error("{:?}: {}", .0.code(), .0.message())]
    Status(Box<Status>),
    /// The connection is gone, or was never made.
    #[error("the connection is gone: {0}")]
    Broken(String),
    /// There was no answer in time.
    #[error("no answer within {0:?}")]
    Silent(Duration),
    /// The answer is not what the contract says.
    #[error("not an answer of the contract: {0}")]
    Answer(String),
}

impl CallError {
    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status(status) => matches!(
                status.code(),
                Code::Unavailable
                    | Code::DeadlineExceeded
                    | Code::ResourceExhausted
                    | Code::Aborted
                    | Code::Cancelled
                    | Code::Internal
                    | Code::Unknown
            ),
            Self::Broken(_) | Self::Silent(_) => true,
            Self::Answer(_) => false,
        }
    }

    /// The status code of the service, if it answered.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Status(status) => Some(status.code()),
            Self::Broken(_) | Self::Silent(_) | Self::Answer(_) => None,
        }
    }

    /// The reason that the service gave.
    pub fn reason(&self) -> Option<ErrorReason> {
        match self {
            Self::Status(status) => {
                ErrorReason::from_str_name(&status.get_details_error_info()?.reason)
            }
            Self::Broken(_) | Self::Silent(_) | Self::Answer(_) => None,
        }
    }

    /// When the service wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status(status) => status.get_details_retry_info()?.retry_delay,
            Self::Broken(_) | Self::Silent(_) | Self::Answer(_) => None,
        }
    }

    /// A few words that failures are counted under.
    pub fn kind(&self) -> String {
        match self {
            Self::Status(status) => match self.reason() {
                Some(reason) => format!("{:?} {reason:?}", status.code()),
                None => format!("{:?}", status.code()),
            },
            Self::Broken(_) => "connection gone".to_owned(),
            Self::Silent(_) => "no answer in time".to_owned(),
            Self::Answer(_) => "bad answer".to_owned(),
        }
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<h2::Error> for CallError {
    fn from(error: h2::Error) -> Self {
        Self::Broken(error.to_string())
    }
}
