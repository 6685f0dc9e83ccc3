//! Disclosing one message to others, so that a report can be checked (message franking).
//!
//! The commitment in an envelope binds its message key, hence its one plaintext. A disclosure says
//! what an envelope contains, not who sent it: that the claimed sender sent this envelope is known
//! to the service that took it from that device.

use core::fmt;

use plasma_identity::encoding::{DecodeError, Reader};
use plasma_identity::{CertificateHash, DeviceAddress};
use zeroize::Zeroizing;

use crate::cipher::Sealed;
use crate::error::DecryptError;
use crate::exchange;
use crate::header::{Envelope, associated_data};
use crate::padding;
use crate::secret::Secret;

const TYPE: u8 = 0x13;
const VERSION: u8 = 1;

/// What opens one envelope and no other: a secret until its message is reported.
#[derive(Clone)]
pub struct Disclosure {
    pub(crate) message_key: Secret,
    pub(crate) sender_certificate: CertificateHash,
    pub(crate) recipient_certificate: CertificateHash,
}

impl Disclosure {
    /// Length of the encoding.
    pub const LENGTH: usize = 2 + 32 + 32 + 32;

    /// Returns the hash of the sending device's certificate.
    pub fn sender_certificate(&self) -> CertificateHash {
        self.sender_certificate
    }

    /// Returns the hash of the receiving device's certificate.
    pub fn recipient_certificate(&self) -> CertificateHash {
        self.recipient_certificate
    }

    /// Encodes the disclosure.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(Self::LENGTH));
        out.extend_from_slice(&[TYPE, VERSION]);
        out.extend_from_slice(self.message_key.expose());
        out.extend_from_slice(&self.sender_certificate.0);
        out.extend_from_slice(&self.recipient_certificate.0);
        out
    }

    /// Decodes a disclosure.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(TYPE, VERSION)?;
        let disclosure = Self {
            message_key: Secret::new(reader.array()?),
            sender_certificate: CertificateHash(reader.array()?),
            recipient_certificate: CertificateHash(reader.array()?),
        };
        reader.finish()?;
        Ok(disclosure)
    }
}

impl fmt::Debug for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disclosure(..)")
    }
}

/// Reads the content of an envelope by its disclosure, without any key of its sender or recipient.
///
/// The result is the one content that this envelope has: [`DecryptError::BadCommitment`] answers a
/// disclosure of another message, [`DecryptError::BadMac`] a changed envelope. The initiator's
/// signature in a first message is not checked, for that takes the session's transcript.
pub fn open_disclosed(
    envelope: &[u8],
    sender: DeviceAddress,
    recipient: DeviceAddress,
    disclosure: &Disclosure,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let envelope = Envelope::parse(envelope)?;
    let header = &envelope.header;
    if header.sender != sender || header.recipient_device != recipient.device {
        return Err(DecryptError::WrongAddress);
    }
    let associated_data = associated_data(
        envelope.header_bytes,
        (sender, disclosure.sender_certificate),
        (recipient, disclosure.recipient_certificate),
    );
    let sealed = Sealed {
        salt: &header.salt,
        session_id: header.session_id,
        associated_data: &associated_data,
        commitment: &envelope.commitment,
        ciphertext: envelope.ciphertext,
    };
    let body = sealed.open(&disclosure.message_key)?.body;
    let padded =
        if envelope.initiation.is_some() { exchange::split_signature(&body)?.1 } else { &body[..] };
    Ok(Zeroizing::new(padding::unpad(padded)?.to_vec()))
}
