//! Errors per operation. Reason codes are stable: apps explain them, metrics count them.

use plasma_identity::encoding::DecodeError;
use plasma_identity::{ChainError, PrekeyError};

/// Why stored private state cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the stored state is not readable: {0}")]
pub struct StateError(#[from] pub DecodeError);

/// Why a device was not certified or a manifest not made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ApproveError {
    /// The request is not signed by the key that it names.
    #[error("the request is not signed by its own key")]
    BadRequest,
    /// The request, or the account, is of another user or another root.
    #[error("the request is for another account")]
    WrongAccount,
    /// This device is not an approver of the account.
    #[error("this device may not approve")]
    NotApprover,
    /// The account has ten devices already, or would have none.
    #[error("the account would have no device or more than ten")]
    DeviceCount,
    /// The device to revoke is not in the account.
    #[error("no such device in the account")]
    UnknownDevice,
    /// What was made would not be accepted as a successor.
    #[error("the result breaks a rule of the chain: {0}")]
    Chain(#[from] ChainError),
    /// What was made would not be accepted by a decoder.
    #[error("the result breaks a rule of its format: {0}")]
    Format(#[from] DecodeError),
}

/// Why a device cannot take part: it is not certified in the account's current manifest, or the
/// keys at hand are not those of its certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ParticipantError {
    /// The account's current manifest does not certify the device.
    #[error("the device is not certified")]
    Uncertified,
    /// The private keys do not belong to the certificate.
    #[error("the keys do not belong to the certificate")]
    WrongKeys,
}

/// Why a session was not started.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InitiateError {
    /// The record belongs to another pair of devices.
    #[error("the record belongs to another pair of devices")]
    WrongAddress,
    /// The bundle's certificate is not the one that the account's manifest certifies.
    #[error("the bundle's certificate is not certified by the manifest")]
    UncertifiedBundle,
    /// A prekey has another role than its place in the bundle.
    #[error("a prekey has the wrong role")]
    WrongRole,
    /// A prekey is of another device, badly signed or expired.
    #[error("a prekey must not be used: {0}")]
    Prekey(#[from] PrekeyError),
    /// A prekey's key is not valid.
    #[error("a prekey's key is invalid")]
    InvalidKey,
}

/// Why a content was not encrypted. The record is unchanged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EncryptError {
    /// The record belongs to another pair of devices.
    #[error("the record belongs to another pair of devices")]
    WrongAddress,
    /// There is no session to send on: fetch a bundle and initiate.
    #[error("no session to send on")]
    NoSession,
    /// The content is longer than [`crate::MAX_CONTENT_LENGTH`].
    #[error("the content is too long")]
    TooLong,
    /// The sending chain has used its 2³² keys: initiate a new session.
    #[error("the sending chain is exhausted")]
    ChainExhausted,
}

/// Why an envelope was not decrypted. The record is unchanged.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecryptError {
    /// The bytes are not an envelope.
    #[error("malformed envelope: {0}")]
    MalformedEnvelope(DecodeError),
    /// The envelope's version, suite or flags are not known here.
    #[error("unsupported version")]
    UnsupportedVersion,
    /// The envelope, the record and the account are not of the same pair of devices.
    #[error("the envelope is for another device or from another one than claimed")]
    WrongAddress,
    /// The sender's manifest is not known: advance the sender's account and try once more.
    #[error("the sender's manifest is not known")]
    UnknownSenderManifest,
    /// The manifest of this user that the sender saw is not known: advance one's own account and
    /// try once more.
    #[error("the sender saw an unknown manifest of this user")]
    UnknownOwnManifest,
    /// The sender's manifest does not certify the sending device.
    #[error("the sending device is not certified")]
    UncertifiedSender,
    /// The manifest that the sender saw does not certify this device.
    #[error("this device is not certified by the manifest that the sender saw")]
    UncertifiedRecipient,
    /// No session of the record has the envelope's session id.
    #[error("no such session")]
    UnknownSession,
    /// The message was decrypted before, or its key was dropped.
    #[error("the message was decrypted before")]
    Duplicate,
    /// The message is more than 2,000 ahead of its chain.
    #[error("the message is too far ahead")]
    TooFarAhead,
    /// The ratchet key is new although this side has not answered the last one.
    #[error("the ratchet key is out of turn")]
    OutOfTurn,
    /// The post-quantum part of a new chain does not stand in turn: a ciphertext without a key of
    /// this side under way, or no ciphertext although one is.
    #[error("the post-quantum part is out of turn")]
    PqOutOfTurn,
    /// The key commitment does not match: other keys, or a changed envelope.
    #[error("the key commitment does not match")]
    BadCommitment,
    /// The ciphertext or its associated data was changed.
    #[error("the ciphertext does not authenticate")]
    BadMac,
    /// The body is not padded as specified.
    #[error("the body is not padded as specified")]
    BadPadding,
    /// The initiator's signature in the first message does not verify.
    #[error("the initiator's signature does not verify")]
    BadSignature,
    /// A one-time prekey is gone: used before, or lost.
    #[error("a one-time prekey is gone")]
    MissingPrekey,
    /// The signed or last-resort prekey is gone: its time is over.
    #[error("a prekey's time is over")]
    ExpiredKeys,
    /// The initiation was seen before.
    #[error("the initiation was seen before")]
    ReplayedInitiation,
}

impl DecryptError {
    /// Returns the stable code of the reason, from a closed list.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::MalformedEnvelope(_) => "MALFORMED_ENVELOPE",
            Self::UnsupportedVersion => "UNSUPPORTED_VERSION",
            Self::WrongAddress => "WRONG_ADDRESS",
            Self::UnknownSenderManifest => "UNKNOWN_SENDER_MANIFEST",
            Self::UnknownOwnManifest => "UNKNOWN_OWN_MANIFEST",
            Self::UncertifiedSender => "UNCERTIFIED_SENDER",
            Self::UncertifiedRecipient => "UNCERTIFIED_RECIPIENT",
            Self::UnknownSession => "UNKNOWN_SESSION",
            Self::Duplicate => "DUPLICATE",
            Self::TooFarAhead => "TOO_FAR_AHEAD",
            Self::OutOfTurn => "OUT_OF_TURN",
            Self::PqOutOfTurn => "PQ_OUT_OF_TURN",
            Self::BadCommitment => "BAD_COMMITMENT",
            Self::BadMac => "BAD_MAC",
            Self::BadPadding => "BAD_PADDING",
            Self::BadSignature => "BAD_SIGNATURE",
            Self::MissingPrekey => "MISSING_PREKEY",
            Self::ExpiredKeys => "EXPIRED_KEYS",
            Self::ReplayedInitiation => "REPLAYED_INITIATION",
        }
    }

    /// Tells whether the two sides may have lost each other, so that a [`crate::RetryRequest`]
    /// helps: the sender starts a new session and sends the message again.
    ///
    /// Not so where the envelope itself is at fault (malformed, changed, misdirected, badly signed),
    /// where the message is here already, and where an account must be brought up to date first.
    /// A [`DecryptError::Duplicate`] is here already if the caller knows that it has opened this very
    /// envelope; if not, it is repairable as well, because a sender that went back to a backup may
    /// use a number of its chain for a second message. An initiation seen before is here already
    /// too, unless this side has lost the session since: then it is what a lost one-time key is
    /// where one was used.
    pub fn is_repairable(&self) -> bool {
        matches!(
            self,
            Self::UnknownSession
                | Self::TooFarAhead
                | Self::OutOfTurn
                | Self::PqOutOfTurn
                | Self::BadCommitment
                | Self::MissingPrekey
                | Self::ExpiredKeys
                | Self::ReplayedInitiation
        )
    }
}

impl From<DecodeError> for DecryptError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::UnsupportedVersion(_) => Self::UnsupportedVersion,
            malformed => Self::MalformedEnvelope(malformed),
        }
    }
}
