//! Envelopes that are not shown, and what becomes of them.

use plasma_identity::DeviceAddress;

use crate::id::MessageId;
use crate::reason::UndecryptableReason;

/// An envelope that is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecryptable {
    /// The service's id of the envelope.
    pub envelope_id: String,
    /// The device that the envelope claims to come from; not authenticated.
    pub claimed_sender: Option<DeviceAddress>,
    /// The message that the service says it is; not authenticated.
    pub claimed_message: Option<MessageId>,
    /// Why it is not shown.
    pub reason: UndecryptableReason,
    /// Whether it is being repaired.
    pub repair: Repair,
}

/// What becomes of an envelope that is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// The sender cannot help, or is not one to be asked.
    NotPossible,
    /// The sender is asked for the message once more, without anybody doing anything.
    Requested,
    /// The message has come since.
    Resolved,
    /// The sender was asked in vain: ask the person to write it again.
    GivenUp,
}

/// An envelope that is not shown, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotShown {
    /// The service's id of the envelope.
    pub envelope_id: String,
    /// The device that the envelope claims to come from; not authenticated.
    pub claimed_sender: Option<DeviceAddress>,
    /// The message that the service says it is; not authenticated.
    pub claimed_message: Option<MessageId>,
    /// The stable code of the reason, from a closed list.
    pub code: String,
    /// The reason in words for a person.
    pub explanation: &'static str,
    /// What became of it.
    pub repair: Repair,
}
