//! Retry requests: a receiver asks the sender of an envelope that it cannot open for a new session
//! and for the message once more.

use plasma_identity::encoding::{DecodeError, Reader, labelled, labelled_hash};
use plasma_identity::{
    AgreementPublicKey, DeviceAddress, MAX_CLOCK_SKEW_SECONDS, MAX_LATENCY_SECONDS, Signature,
    Signer, VerifiedAccount,
};

use crate::device_keys::DeviceKeys;
use crate::error::DecryptError;
use crate::header::{Envelope, SessionId};

const TYPE: u8 = 0x12;
const VERSION: u8 = 1;
const SIGNATURE_LABEL: &str = "Plasma/v1/retry-request";
const HASH_LABEL: &str = "Plasma/v1/envelope-hash";

/// Computes the hash by which a retry request, and the sender's log, name an envelope.
pub fn envelope_hash(envelope: &[u8]) -> [u8; 32] {
    labelled_hash(HASH_LABEL, &[envelope])
}

/// Tells a retry request from an envelope by its first byte.
pub fn is_retry_request(bytes: &[u8]) -> bool {
    bytes.first() == Some(&TYPE)
}

/// What the request says; the signature makes it binding.
#[derive(Clone, Copy, Debug)]
struct Statement {
    sender: DeviceAddress,
    recipient: DeviceAddress,
    session_id: SessionId,
    ratchet_key: AgreementPublicKey,
    envelope_hash: [u8; 32],
    made: u64,
}

/// A signed request for a new session and for one message once more.
#[derive(Clone, Copy, Debug)]
pub struct RetryRequest {
    statement: Statement,
    signature: Signature,
}

/// Why a retry request was not made or is not followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RetryError {
    /// What could not be opened is not an envelope.
    #[error("what could not be opened is not an envelope: {0}")]
    NotAnEnvelope(DecryptError),
    /// The request, or the envelope that it is about, is of another pair of devices.
    #[error("the request is for another device or from another one than claimed")]
    WrongAddress,
    /// The account does not list the requesting device.
    #[error("the requesting device is not certified")]
    Uncertified,
    /// The request was made more than 45 days ago.
    #[error("the request is too old")]
    Expired,
    /// The request was made more than a day ahead of this clock.
    #[error("the request lies in the future")]
    NotYetValid,
    /// The requesting device has not signed the request.
    #[error("the request's signature does not verify")]
    BadSignature,
}

impl Statement {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(RetryRequest::LENGTH);
        out.extend_from_slice(&[TYPE, VERSION]);
        out.extend_from_slice(&self.sender.to_bytes());
        out.extend_from_slice(&self.recipient.to_bytes());
        out.extend_from_slice(&self.session_id.0);
        out.extend_from_slice(self.ratchet_key.as_bytes());
        out.extend_from_slice(&self.envelope_hash);
        out.extend_from_slice(&self.made.to_be_bytes());
        out
    }

    fn signature_input(self) -> Vec<u8> {
        labelled(SIGNATURE_LABEL, &[&self.to_bytes()])
    }
}

impl RetryRequest {
    /// Length of the encoding.
    pub const LENGTH: usize = 2 + 48 + 48 + 16 + 65 + 32 + 8 + Signature::LENGTH;

    /// Asks the device `to` for the message in `envelope`, which it sent and which could not be
    /// opened for a reason that [`DecryptError::is_repairable`].
    pub fn for_envelope(
        keys: &DeviceKeys,
        to: DeviceAddress,
        envelope: &[u8],
        now: u64,
    ) -> Result<Self, RetryError> {
        let header = Envelope::parse(envelope).map_err(RetryError::NotAnEnvelope)?.header;
        if header.sender != to || header.recipient_device != keys.address().device {
            return Err(RetryError::WrongAddress);
        }
        let statement = Statement {
            sender: keys.address(),
            recipient: to,
            session_id: header.session_id,
            ratchet_key: header.ratchet_key,
            envelope_hash: envelope_hash(envelope),
            made: now,
        };
        Ok(Self { statement, signature: keys.sign(&statement.signature_input()) })
    }

    /// Returns the device that asks.
    pub fn sender(&self) -> DeviceAddress {
        self.statement.sender
    }

    /// Returns the device that is asked.
    pub fn recipient(&self) -> DeviceAddress {
        self.statement.recipient
    }

    /// Returns the session of the envelope that could not be opened.
    pub fn session_id(&self) -> SessionId {
        self.statement.session_id
    }

    /// Returns the hash of the envelope that could not be opened.
    pub fn envelope_hash(&self) -> [u8; 32] {
        self.statement.envelope_hash
    }

    /// Returns the unix seconds at which the request was made.
    pub fn made(&self) -> u64 {
        self.statement.made
    }

    pub(crate) fn ratchet_key(&self) -> &AgreementPublicKey {
        &self.statement.ratchet_key
    }

    /// Checks that a current device of `sender_account` has made this request for `local`, not
    /// more than 45 days before and not more than a day after `now`.
    pub fn verify(
        &self,
        sender_account: &VerifiedAccount,
        local: DeviceAddress,
        now: u64,
    ) -> Result<(), RetryError> {
        let Statement { sender, recipient, made, .. } = self.statement;
        if recipient != local
            || sender == local
            || sender.user_address() != sender_account.user_address()
        {
            return Err(RetryError::WrongAddress);
        }
        let certificate = sender_account.device(sender.device).ok_or(RetryError::Uncertified)?;
        if made.saturating_add(MAX_LATENCY_SECONDS) < now {
            return Err(RetryError::Expired);
        }
        if made > now.saturating_add(MAX_CLOCK_SKEW_SECONDS) {
            return Err(RetryError::NotYetValid);
        }
        certificate
            .signing_key()
            .verify(&self.statement.signature_input(), &self.signature)
            .map_err(|_| RetryError::BadSignature)
    }

    /// Encodes the request.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.statement.to_bytes();
        out.extend_from_slice(&self.signature.to_bytes());
        out
    }

    /// Decodes a request; it is checked by [`RetryRequest::verify`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(TYPE, VERSION)?;
        let statement = Statement {
            sender: DeviceAddress::read(&mut reader)?,
            recipient: DeviceAddress::read(&mut reader)?,
            session_id: SessionId(reader.array()?),
            ratchet_key: AgreementPublicKey::from_bytes(reader.slice(AgreementPublicKey::LENGTH)?)?,
            envelope_hash: reader.array()?,
            made: reader.u64()?,
        };
        let signature = Signature::from_bytes(reader.array()?)?;
        reader.finish()?;
        Ok(Self { statement, signature })
    }
}
