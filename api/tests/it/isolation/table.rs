//! What an id that is not the caller's must be answered with, field by field.

use bytes::Bytes;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;
use tonic::{Code, Status};

use crate::place::Place;
use crate::wire::describe;

/// What another tenant's id and an absent one are answered with.
pub(super) enum Answers {
    /// Both with the same refusal, byte for byte.
    Same(Code, ErrorReason),
    /// Both with the same success: the field names nothing that anyone else has.
    SameSuccess,
    /// Both with a success of the same length that is different each time: a challenge, a report.
    AsLong,
    /// Both with a success that says when it was stored.
    Stored,
    /// The holder of the value has a right to know: a link's token is the secret that the link
    /// is. An absent one is `NOT_FOUND`.
    Known { foreign: ErrorReason },
}

/// The table. What it does not name is `NOT_FOUND`.
pub(super) fn answers(path: &str, place: &Place) -> Answers {
    let method = path.rsplit_once('/').unwrap().1;
    let field = place.path();
    match on_a_stream(method, &field) {
        // The sender's own name for a message; it is looked up nowhere.
        ("Send" | "SendOwn" | "SendControl", "message_id")
        // Unknown ids are no error, and an envelope is acknowledged by its device alone.
        | ("Acknowledge", _)
        // Whoever is named of another platform is taken as named.
        | ("ExplainPrice" | "RemovePayer", "payer_tenant_id")
        | ("RemovePayer", "payer_user_id")
        // What is gone is deleted.
        | ("DeletePriceDraft", "price_draft_id")
        | ("DeletePayerGroup", "payer_group_id") => Answers::SameSuccess,
        // As named, and stored each time under an id and a time of its own.
        ("AddPayer", "payer_tenant_id") | (_, "definition.target.payer_tenant_id") => {
            Answers::Stored
        }
        // An outcome of the response: the envelopes are not those of the current devices. It
        // repeats the id that the caller named.
        ("Send" | "SendOwn", field) if field.ends_with("device_id") => Answers::SameSuccess,
        // The answer is the same for a device that does not exist, and different each time.
        ("CreateChallenge", _)
        // The service's id of one delivery, which its mark does not cover and nobody looks up.
        | ("CreateReport", "messages[0].envelope.envelope_id") => Answers::AsLong,
        // What the reporter discloses is not what the service delivered to it.
        ("CreateReport", field) if field.starts_with("messages") => {
            Answers::Same(Code::InvalidArgument, ErrorReason::InvalidField)
        }
        ("CreateSession", _) => Answers::Same(Code::Unauthenticated, ErrorReason::Unauthenticated),
        ("ExchangeToken", "tenant_id") => {
            Answers::Same(Code::Unauthenticated, ErrorReason::PlatformTokenInvalid)
        }
        // The price in force is another one, whosever the accepted one is.
        (_, "accepted_price.price_id") => {
            Answers::Same(Code::FailedPrecondition, ErrorReason::PriceChanged)
        }
        (_, "page_token") => Answers::Same(Code::InvalidArgument, ErrorReason::InvalidField),
        // The twins are closed to each other. Whoever holds 128 random bits was given them.
        ("ResolveLink" | "OpenChat", "link_token") => {
            Answers::Known { foreign: ErrorReason::CrossPlatformNotAllowed }
        }
        _ => Answers::Same(Code::NotFound, ErrorReason::NotFound),
    }
}

/// A field of a call that `Connect` carries is one of the call's own method.
fn on_a_stream<'a>(method: &'a str, field: &'a str) -> (&'a str, &'a str) {
    match field.split_once('.') {
        Some(("send", field)) => ("Send", field),
        Some(("send_own", field)) => ("SendOwn", field),
        Some(("send_control", field)) => ("SendControl", field),
        Some(("acknowledge", field)) => ("Acknowledge", field),
        _ => (method, field),
    }
}

impl Answers {
    /// What is wrong with one answer by itself.
    pub(super) fn objection(&self, answer: &Result<Bytes, Status>) -> Option<String> {
        match (self, answer) {
            (Self::Same(code, reason), Err(status)) => {
                let right = status.code() == *code && reason_of(status) == Some(*reason);
                (!right).then(|| format!("{}, expected {reason:?}", describe(status)))
            }
            (Self::Same(_, reason), Ok(_)) => Some(format!("succeeded, expected {reason:?}")),
            (Self::SameSuccess | Self::AsLong | Self::Stored, Err(status)) => {
                Some(format!("{}, expected success", describe(status)))
            }
            (Self::SameSuccess | Self::AsLong | Self::Stored, Ok(_)) | (Self::Known { .. }, _) => {
                None
            }
        }
    }
}
