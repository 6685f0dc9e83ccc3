//! The envelope: header, key commitment, ciphertext.

use core::fmt;

use ml_kem::ml_kem_768::Ciphertext;
use plasma_identity::encoding::{DecodeError, Reader, labelled};
use plasma_identity::{
    AgreementPublicKey, CertificateHash, DeviceAddress, ManifestHash, PrekeyRole, Signature,
};
use uuid::Uuid;

use crate::error::DecryptError;
use crate::extension::Extension;
use crate::kdf::ASSOCIATED_DATA_LABEL;
use crate::kem::KEM_CIPHERTEXT_LENGTH;
use crate::padding::MAX_CONTENT_LENGTH;

pub(crate) const VERSION: u8 = 1;
/// P-256, ML-KEM-768, AES-256-GCM, SHA-256.
pub(crate) const SUITE: u8 = 1;
const MESSAGE_TYPE: u8 = 0x10;
const INITIATION_TYPE: u8 = 0x11;
const TAG_LENGTH: usize = 16;

/// Length of a header without initiation and extension.
pub(crate) const HEADER_LENGTH: usize = 253;
/// Length of the initiation that follows in the header of the first messages.
pub(crate) const INITIATION_LENGTH: usize = 65 + 4 + 1 + 4 + 1 + 4 + 32 + 32 + 1088;
/// Longest envelope, in bytes: an initiation with its signature, or a message with an extension.
pub const MAX_ENVELOPE_LENGTH: usize =
    HEADER_LENGTH + longest_addition() + 32 + (MAX_CONTENT_LENGTH + 1) + TAG_LENGTH;

const fn longest_addition() -> usize {
    let initiation = INITIATION_LENGTH + Signature::LENGTH;
    if initiation > Extension::MAX_LENGTH { initiation } else { Extension::MAX_LENGTH }
}

/// Names a session; both sides derive it from the handshake's transcript.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId(pub [u8; 16]);

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({:032x})", u128::from_be_bytes(self.0))
    }
}

/// One side's manifest as the sender sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ManifestView {
    /// The manifest's epoch.
    pub epoch: u64,
    /// The manifest's hash.
    pub hash: ManifestHash,
}

impl ManifestView {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.hash.0);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { epoch: reader.u64()?, hash: ManifestHash(reader.array()?) })
    }
}

/// What every header says.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) sender: DeviceAddress,
    pub(crate) recipient_device: Uuid,
    pub(crate) session_id: SessionId,
    pub(crate) sender_view: ManifestView,
    pub(crate) recipient_view: ManifestView,
    pub(crate) ratchet_key: AgreementPublicKey,
    /// Number of messages in the sender's chain before this one.
    pub(crate) previous: u32,
    pub(crate) number: u32,
    pub(crate) salt: [u8; 16],
    /// Absent from initiations, and from most messages.
    pub(crate) extension: Option<Extension>,
}

impl Header {
    /// Encodes the header; `initiation` is the encoding of an [`Initiation`].
    pub(crate) fn to_bytes(&self, initiation: Option<&[u8]>) -> Vec<u8> {
        let kind = if initiation.is_some() { INITIATION_TYPE } else { MESSAGE_TYPE };
        let extension = self.extension.as_ref().map_or(&[][..], Extension::as_bytes);
        let added = extension.len() + initiation.map_or(0, <[u8]>::len);
        let mut out = Vec::with_capacity(HEADER_LENGTH + added);
        let flags = Extension::flags(self.extension.as_ref());
        out.extend_from_slice(&[kind, VERSION, SUITE, flags]);
        out.extend_from_slice(&self.sender.to_bytes());
        out.extend_from_slice(self.recipient_device.as_bytes());
        out.extend_from_slice(&self.session_id.0);
        self.sender_view.write(&mut out);
        self.recipient_view.write(&mut out);
        out.extend_from_slice(self.ratchet_key.as_bytes());
        out.extend_from_slice(&self.previous.to_be_bytes());
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(extension);
        out.extend_from_slice(initiation.unwrap_or_default());
        out
    }

    fn read(flags: u8, reader: &mut Reader<'_>) -> Result<Self, DecryptError> {
        Ok(Self {
            sender: DeviceAddress::read(reader)?,
            recipient_device: reader.uuid()?,
            session_id: SessionId(reader.array()?),
            sender_view: ManifestView::read(reader)?,
            recipient_view: ManifestView::read(reader)?,
            ratchet_key: AgreementPublicKey::from_bytes(reader.slice(AgreementPublicKey::LENGTH)?)?,
            previous: reader.u32()?,
            number: reader.u32()?,
            salt: reader.array()?,
            extension: Extension::read(flags, reader)?,
        })
    }
}

/// What the initiator's messages carry until the first reply.
#[derive(Clone, Debug)]
pub(crate) struct Initiation {
    pub(crate) ephemeral: AgreementPublicKey,
    pub(crate) signed_id: u32,
    pub(crate) kem_role: PrekeyRole,
    pub(crate) kem_id: u32,
    pub(crate) one_time_id: Option<u32>,
    pub(crate) initiator_manifest: ManifestHash,
    pub(crate) responder_manifest: ManifestHash,
    pub(crate) ciphertext: Ciphertext,
}

impl Initiation {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(INITIATION_LENGTH);
        out.extend_from_slice(self.ephemeral.as_bytes());
        out.extend_from_slice(&self.signed_id.to_be_bytes());
        out.push(self.kem_role.number());
        out.extend_from_slice(&self.kem_id.to_be_bytes());
        out.push(u8::from(self.one_time_id.is_some()));
        out.extend_from_slice(&self.one_time_id.unwrap_or(0).to_be_bytes());
        out.extend_from_slice(&self.initiator_manifest.0);
        out.extend_from_slice(&self.responder_manifest.0);
        out.extend_from_slice(&self.ciphertext);
        out
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let ephemeral = AgreementPublicKey::from_bytes(reader.slice(AgreementPublicKey::LENGTH)?)?;
        let signed_id = reader.u32()?;
        let kem_role = PrekeyRole::from_number(reader.u8()?)?;
        if !kem_role.is_kem() {
            return Err(DecodeError::InvalidField("role"));
        }
        let kem_id = reader.u32()?;
        let one_time_id = match (reader.bool("one-time")?, reader.u32()?) {
            (true, id) => Some(id),
            (false, 0) => None,
            (false, _) => return Err(DecodeError::InvalidField("one-time")),
        };
        Ok(Self {
            ephemeral,
            signed_id,
            kem_role,
            kem_id,
            one_time_id,
            initiator_manifest: ManifestHash(reader.array()?),
            responder_manifest: ManifestHash(reader.array()?),
            ciphertext: Ciphertext::from(reader.array::<KEM_CIPHERTEXT_LENGTH>()?),
        })
    }
}

/// An envelope taken apart; nothing in it is authenticated yet.
#[derive(Clone, Debug)]
pub(crate) struct Envelope<'a> {
    pub(crate) header: Header,
    pub(crate) initiation: Option<Initiation>,
    pub(crate) header_bytes: &'a [u8],
    pub(crate) commitment: [u8; 32],
    pub(crate) ciphertext: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, DecryptError> {
        if bytes.len() > MAX_ENVELOPE_LENGTH {
            return Err(DecryptError::MalformedEnvelope(DecodeError::TrailingBytes));
        }
        let mut reader = Reader::new(bytes);
        let kind = reader.u8()?;
        if kind != MESSAGE_TYPE && kind != INITIATION_TYPE {
            return Err(DecryptError::MalformedEnvelope(DecodeError::WrongType));
        }
        let (version, flags) = ([reader.u8()?, reader.u8()?], reader.u8()?);
        let known_flags = Extension::is_known(flags) && (flags == 0 || kind == MESSAGE_TYPE);
        if version != [VERSION, SUITE] || !known_flags {
            return Err(DecryptError::UnsupportedVersion);
        }
        let header = Header::read(flags, &mut reader)?;
        let initiation = match kind {
            INITIATION_TYPE => Some(Initiation::read(&mut reader)?),
            _ => None,
        };
        let extension = header.extension.as_ref().map_or(0, |part| part.as_bytes().len());
        let header_length =
            HEADER_LENGTH + extension + initiation.as_ref().map_or(0, |_| INITIATION_LENGTH);
        let commitment = reader.array()?;
        let ciphertext = reader.rest();
        if ciphertext.len() < TAG_LENGTH {
            return Err(DecryptError::MalformedEnvelope(DecodeError::Truncated));
        }
        let header_bytes = &bytes[..header_length];
        Ok(Self { header, initiation, header_bytes, commitment, ciphertext })
    }
}

/// Builds what GCM authenticates beside the ciphertext.
pub(crate) fn associated_data(
    header: &[u8],
    (sender, sender_certificate): (DeviceAddress, CertificateHash),
    (recipient, recipient_certificate): (DeviceAddress, CertificateHash),
) -> Vec<u8> {
    let parts: [&[u8]; 5] = [
        header,
        &sender.to_bytes(),
        &recipient.to_bytes(),
        &sender_certificate.0,
        &recipient_certificate.0,
    ];
    labelled(ASSOCIATED_DATA_LABEL, &parts)
}
