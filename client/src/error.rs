//! What goes wrong on a device, typed; nothing is ever read out of a message text.

use std::collections::HashMap;
use std::time::Duration;

use plasma_e2ee::{ApproveError, EncryptError, InitiateError, ParticipantError, RecoveryError};
use plasma_identity::{ChainError, DeviceAddress, Fingerprint, UserAddress};
use plasma_proto::billing::v1::{PriceChanged, Quote};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info;
use prost::Message;
use tonic::{Code, Status};
use tonic_types::{StatusExt, pb};
use uuid::Uuid;

use crate::device::LinkingFailure;
use crate::id::{ChatId, MessageId};
use crate::qr::TooLongForQr;
use crate::store::StoreError;

/// Why an operation of a device failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The service refused the call.
    #[error(transparent)]
    Service(#[from] Box<ServiceError>),
    /// The service could not be reached for as long as the endpoint's patience lasts.
    #[error("the service cannot be reached: {0}")]
    Unreachable(String),
    /// The endpoint is not an address.
    #[error("the endpoint is not an address")]
    InvalidEndpoint,
    /// An answer of the service is not what the contract says.
    #[error("the service's answer has no valid {0}")]
    Answer(&'static str),
    /// The device's own store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store belongs to another user, or already to a device.
    #[error("the store belongs to another device")]
    StoreInUse,
    /// The store has no registered device.
    #[error("the store has no registered device")]
    NotRegistered,
    /// The user has devices: this one is linked from one of them.
    #[error("the user has devices; link this one from one of them")]
    UserHasDevices,
    /// The service shows a list of devices that does not verify.
    #[error("the devices shown for {user} do not verify: {cause}")]
    Identity {
        /// Whose devices.
        user: UserAddress,
        /// Which rule they break.
        cause: ChainError,
    },
    /// The link names another account than the one that the service shows.
    #[error(
        "The person behind this link is not who the service says it is: the link names the \
         fingerprint {expected}, the service shows {shown}. Somebody may be in between. Nothing \
         was opened; ask for the link again, in person if you can."
    )]
    FingerprintMismatch {
        /// What the link says.
        expected: Fingerprint,
        /// What the service shows.
        shown: Fingerprint,
    },
    /// The peer's identity is not the one known before. Sending waits until the person accepts.
    #[error(
        "This person's identity has changed since you last wrote: they set up their account anew, \
         or somebody pretends to be them. Nothing is sent until you compare fingerprints and accept."
    )]
    IdentityChanged {
        /// Whose identity.
        user: UserAddress,
        /// The fingerprint known before.
        before: Fingerprint,
        /// The fingerprint shown now.
        now: Fingerprint,
    },
    /// The keys that the service hands out for a device are not that device's.
    #[error("the keys handed out for {device} are not its own: {cause}")]
    Bundle {
        /// The device.
        device: DeviceAddress,
        /// Which rule they break.
        cause: InitiateError,
    },
    /// This device is not in its account's current manifest.
    #[error(transparent)]
    Participant(#[from] ParticipantError),
    /// A device was not certified.
    #[error(transparent)]
    Approve(#[from] ApproveError),
    /// A content was not encrypted.
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
    /// The text is longer than a message can be.
    #[error("the text is longer than a message can be")]
    TextTooLong,
    /// The chat shows no such message.
    #[error("the chat shows no such message: {0}")]
    UnknownMessage(MessageId),
    /// Only the person who wrote a message changes or withdraws it.
    #[error("only the person who wrote a message can change or withdraw it: {0}")]
    NotTheAuthor(MessageId),
    /// What a report about a message needs is not, or no longer, on this device.
    #[error(
        "this message cannot be reported from this device: it came here more than thirty days ago, \
         was withdrawn, or never came here itself ({0})"
    )]
    NotReportable(MessageId),
    /// A field of what was to be sent is out of its bounds.
    #[error("this cannot be sent: a part of it is longer or greater than a message allows")]
    InvalidContent,
    /// The device set kept changing, or the service contradicts the manifests that it shows.
    #[error("the service kept refusing the device sets that its own manifests show")]
    DeviceSetUnstable,
    /// The device knows no such chat.
    #[error("no such chat: {0}")]
    UnknownChat(ChatId),
    /// The program is being stopped.
    #[error("the program is being stopped")]
    Interrupted,
    /// The text is not a contact link.
    #[error("this is not a contact link")]
    InvalidLink,
    /// A device was not linked.
    #[error(transparent)]
    Linking(#[from] LinkingFailure),
    /// The recovery key did not do what was asked.
    #[error(transparent)]
    Recovery(#[from] RecoveryFailure),
    /// The account does not begin anew now.
    #[error(transparent)]
    ResetNotDue(ResetNotDue),
    /// The scanned text is not a safety number's code.
    #[error(
        "This is not the code of a safety number. Scan the one that the other person's app shows."
    )]
    NotASafetyNumber,
    /// The name cannot be a device's.
    #[error("A device's name has 1 to 64 bytes and no invisible characters.")]
    InvalidDeviceName,
    /// The subscription has no other price to accept.
    #[error("This subscription has no other price that you could accept.")]
    NoPriceChange,
    /// The text is longer than a QR code holds.
    #[error(transparent)]
    Qr(#[from] TooLongForQr),
}

/// What a refused message needs before it can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessNeeded {
    /// Nobody has access to the chat now.
    Pass,
    /// The messages that this user has paid for are spent; the peer can still answer.
    Messages,
}

/// Why a recovery key did not do what was asked. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryFailure {
    /// This device does not hold the root key.
    #[error(
        "This device cannot make a recovery key: your account's root key is not on it any more, or \
         never was. The recovery key that you wrote down before stays good."
    )]
    RootGone,
    /// There is no kit.
    #[error(
        "There is no recovery kit for this account: no recovery key was ever made. If a device of \
         yours is left, link this one from it; otherwise ask for the account to begin anew."
    )]
    NoKit,
    /// The words are not a recovery key, or not this account's.
    #[error(transparent)]
    Words(RecoveryError),
    /// The kit is of another account than this device's.
    #[error("The recovery key is of another account: yours has begun anew since it was made.")]
    OtherAccount,
    /// A device to keep is not there.
    #[error("The device to keep is not in the account (any more): {0}")]
    UnknownDevice(Uuid),
}

/// Why the account does not begin anew now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResetNotDue {
    /// Nobody has asked, or one of the devices has cancelled.
    #[error(
        "Nobody has asked for this account to begin anew, or one of its devices has said no. Ask \
         first; after the delay of your platform it can be carried out."
    )]
    NotRequested,
    /// The delay is not over.
    #[error(
        "The account can begin anew from {effective_time} on. Until then each of its devices can \
         say no."
    )]
    Pending {
        /// When it will be due, RFC 3339.
        effective_time: String,
    },
    /// It was not carried out in time.
    #[error("The request to begin this account anew is too old. Ask again.")]
    Expired,
}

impl ResetNotDue {
    /// Reads the service's refusal; `None` where it refuses something else.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        if error.reason() != Some(ErrorReason::ResetNotDue) {
            return None;
        }
        Some(match error.cause() {
            Some("pending") => Self::Pending {
                effective_time: error.metadata("effective_time").unwrap_or_default().to_owned(),
            },
            Some("expired") => Self::Expired,
            _ => Self::NotRequested,
        })
    }
}

impl Error {
    /// Returns the reason that the service gave, if it was the service that refused.
    pub fn reason(&self) -> Option<ErrorReason> {
        match self {
            Self::Service(error) => error.reason,
            _ => None,
        }
    }

    /// Tells whether the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Service(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Tells whether the service asks to slow down: the same call succeeds later.
    pub fn is_rate_limited(&self) -> bool {
        self.reason() == Some(ErrorReason::RateLimited)
    }

    /// Tells what has to be bought before the same message is taken. It waits until then.
    pub fn access_needed(&self) -> Option<AccessNeeded> {
        if self.reason() != Some(ErrorReason::AccessRequired) {
            return None;
        }
        let is_spent = self.cause() == Some("bundle_spent");
        Some(if is_spent { AccessNeeded::Messages } else { AccessNeeded::Pass })
    }

    /// Returns which of a reason's causes the service names.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.metadata("cause")
    }

    fn metadata(&self, name: &str) -> Option<&str> {
        match self {
            Self::Service(error) => error.metadata.get(name).map(String::as_str),
            _ => None,
        }
    }

    /// Returns how long the service asks to wait.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Service(error) => error.retry_after,
            _ => None,
        }
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        // A status without a reason was made by the transport and not by the service.
        match error_info::reason_of(&status) {
            None => Self::Unreachable(format!("{:?}: {}", status.code(), status.message())),
            Some(reason) => Self::Service(Box::new(ServiceError::new(&status, reason))),
        }
    }
}

/// A refusal of the service.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message} ({})", .reason.map_or("no reason", |reason| reason.as_str_name()))]
pub struct ServiceError {
    /// The gRPC code.
    pub code: Code,
    /// Why, in words that programs branch on.
    pub reason: Option<ErrorReason>,
    /// Values that belong to the reason.
    pub metadata: HashMap<String, String>,
    /// Why, for a person who looks into a log.
    pub message: String,
    /// How long to wait before the same call.
    pub retry_after: Option<Duration>,
    /// With `PRICE_CHANGED`: the quote in force.
    pub quote: Option<Box<Quote>>,
}

impl ServiceError {
    fn new(status: &Status, reason: ErrorReason) -> Self {
        let details = status.get_error_details();
        Self {
            code: status.code(),
            reason: Some(reason),
            metadata: details.error_info().map(|info| info.metadata.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            retry_after: details.retry_info().and_then(|info| info.retry_delay),
            quote: price_changed(status).map(Box::new),
        }
    }

    fn is_transient(&self) -> bool {
        matches!(
            self.reason,
            Some(ErrorReason::Unavailable | ErrorReason::DeadlineExceeded | ErrorReason::Cancelled)
        )
    }
}

fn price_changed(status: &Status) -> Option<Quote> {
    let details = pb::Status::decode(status.details()).ok()?.details;
    let detail =
        details.iter().find(|any| any.type_url.ends_with("/plasma.billing.v1.PriceChanged"));
    PriceChanged::decode(detail?.value.as_slice()).ok()?.quote
}
