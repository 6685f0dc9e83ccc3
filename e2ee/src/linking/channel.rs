//! Keys and messages of a linking, alike on both sides.

use plasma_identity::encoding::{Reader, labelled, labelled_hash};
use plasma_identity::{AgreementPublicKey, UserAddress};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::LinkingError;
use crate::secret::Secret;
use crate::{aead, kdf, padding};

const TYPE: u8 = 0x20;
const VERSION: u8 = 1;
const TRANSCRIPT_LABEL: &str = "Plasma/v1/linking-transcript";
const KEYS_LABEL: &str = "Plasma/v1/linking-keys";
const MESSAGE_LABEL: &str = "Plasma/v1/linking-message";
const CODE_MODULUS: u64 = 1_000_000;

/// The messages of a linking, in their order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Message {
    /// Approver to device: the approver's key, and the account's fingerprint.
    Hello = 1,
    /// Device to approver: who wants to be certified.
    Request = 2,
    /// Approver to device: what the device needs, or that it was declined.
    Grant = 3,
}

/// What both sides must see alike.
pub(super) struct Transcript<'a> {
    pub(super) linking_id: Uuid,
    pub(super) user: UserAddress,
    pub(super) device: &'a AgreementPublicKey,
    pub(super) approver: &'a AgreementPublicKey,
}

/// The secrets of one linking between one device and one approver.
pub(super) struct Channel {
    linking_id: Uuid,
    to_device: Secret,
    to_approver: Secret,
    code: u64,
}

impl Channel {
    pub(super) fn derive(
        transcript: &Transcript<'_>,
        secret: &[u8; 32],
        agreement: &Secret,
    ) -> Self {
        let UserAddress { tenant, user } = transcript.user;
        let hash = labelled_hash(
            TRANSCRIPT_LABEL,
            &[
                transcript.linking_id.as_bytes(),
                &[*tenant.as_bytes(), *user.as_bytes()].concat(),
                transcript.device.as_bytes(),
                transcript.approver.as_bytes(),
            ],
        );
        let out = kdf::derive::<72>(secret, agreement.expose(), KEYS_LABEL, &hash);
        let (mut to_device, mut to_approver, mut code) = ([0; 32], [0; 32], [0; 8]);
        to_device.copy_from_slice(&out[..32]);
        to_approver.copy_from_slice(&out[32..64]);
        code.copy_from_slice(&out[64..]);
        Self {
            linking_id: transcript.linking_id,
            to_device: Secret::new(to_device),
            to_approver: Secret::new(to_approver),
            code: u64::from_be_bytes(code) % CODE_MODULUS,
        }
    }

    pub(super) fn linking_id(&self) -> Uuid {
        self.linking_id
    }

    /// Returns the six digits that both screens show.
    pub(super) fn check_code(&self) -> String {
        format!("{:03} {:03}", self.code / 1000, self.code % 1000)
    }

    /// Seals a message; the caller does so at most once for each.
    pub(super) fn seal(&self, message: Message, clear: &[u8], body: &[u8]) -> Vec<u8> {
        let mut out = vec![TYPE, VERSION, message as u8];
        out.extend_from_slice(clear);
        let key = self.key(message).expose();
        out.extend_from_slice(&aead::seal(key, nonce(message), &self.context(message), body));
        out
    }

    /// Opens a ciphertext that [`read_header`] left over.
    pub(super) fn open(
        &self,
        message: Message,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, LinkingError> {
        aead::open(self.key(message).expose(), nonce(message), &self.context(message), ciphertext)
            .ok_or(LinkingError::Unauthentic)
    }

    pub(super) fn seal_padded(
        &self,
        message: Message,
        content: &[u8],
    ) -> Result<Vec<u8>, LinkingError> {
        let mut body = Zeroizing::new(Vec::with_capacity(padding::padded_length(content.len())));
        padding::pad(content, &mut body).map_err(|_| LinkingError::TooLong)?;
        Ok(self.seal(message, &[], &body))
    }

    pub(super) fn open_padded(
        &self,
        message: Message,
        bytes: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, LinkingError> {
        let mut reader = read_header(message, bytes)?;
        let body = self.open(message, reader.rest())?;
        let content = padding::unpad(&body).map_err(|_| LinkingError::BadPadding)?;
        Ok(Zeroizing::new(content.to_vec()))
    }

    fn key(&self, message: Message) -> &Secret {
        match message {
            Message::Hello | Message::Grant => &self.to_device,
            Message::Request => &self.to_approver,
        }
    }

    fn context(&self, message: Message) -> Vec<u8> {
        labelled(MESSAGE_LABEL, &[self.linking_id.as_bytes(), &[message as u8]])
    }
}

/// Reads type, version and number, and refuses another message than the expected one.
pub(super) fn read_header(expected: Message, bytes: &[u8]) -> Result<Reader<'_>, LinkingError> {
    let mut reader = Reader::new(bytes);
    reader.prefix(TYPE, VERSION)?;
    if reader.u8()? != expected as u8 {
        return Err(LinkingError::OutOfTurn);
    }
    Ok(reader)
}

fn nonce(message: Message) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[11] = message as u8;
    nonce
}
