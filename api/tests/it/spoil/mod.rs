//! Ways to spoil a request, one field at a time, generated from the rules that the contract states.

mod by_domain;
mod by_rule;
mod embedded;
mod verdict;

use prost_reflect::DynamicMessage;
use tonic::{Code, Status};

use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;

use crate::fixtures::Call;
use crate::place;
use crate::wire::{describe, fields_named};

/// What must come of a spoiled request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expect {
    /// `INVALID_ARGUMENT` with reason `INVALID_FIELD`, naming this field, and nothing is stored.
    Field(String),
    /// Another refusal, with its code and reason.
    Refused(Code, ErrorReason),
    /// The value is one like any other.
    Accepted,
}

/// A spoiled request.
#[derive(Debug, Clone)]
pub(crate) struct Spoiled {
    /// Which field, and what was done to it.
    pub(crate) name: String,
    pub(crate) message: DynamicMessage,
    pub(crate) expect: Expect,
}

/// Every way to spoil a request. Requests of one fixture are spoiled in the same ways and order.
pub(crate) fn all(call: &Call) -> Vec<Spoiled> {
    let request = &call.message;
    let mut found = Vec::new();
    for place in place::all(request) {
        found.extend(by_rule::spoil(call, &place));
    }
    found.extend(by_domain::spoil(request));
    found.extend(embedded::spoil(request));
    found
}

impl Expect {
    /// What is wrong with an answer; `None` where it is as expected.
    pub(crate) fn objection(&self, answer: &Result<bytes::Bytes, Status>) -> Option<String> {
        match (self, answer) {
            (Self::Accepted, Ok(_)) => None,
            (_, Ok(_)) => Some(format!("succeeded, expected {self:?}")),
            (Self::Accepted, Err(status)) => Some(format!("refused: {}", describe(status))),
            (Self::Refused(code, reason), Err(status)) => {
                let right = status.code() == *code && reason_of(status) == Some(*reason);
                (!right).then(|| format!("{}, expected {self:?}", describe(status)))
            }
            (Self::Field(field), Err(status)) => {
                let right = status.code() == Code::InvalidArgument
                    && reason_of(status) == Some(ErrorReason::InvalidField)
                    && fields_named(status) == (Some(field.clone()), Some(field.clone()));
                (!right).then(|| format!("{}, expected {self:?}", describe(status)))
            }
        }
    }
}
