//! The approver's side of a linking.

use core::fmt;

use plasma_identity::encoding::Reader;
use plasma_identity::{AgreementPublicKey, Fingerprint, UserAddress};
use rand_core::CryptoRng;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::channel::{Channel, Message, Transcript};
use super::device::{APPROVED, DECLINED, QR_LENGTH, QR_PREFIX};
use super::request::LinkingRequest;
use super::{LinkingError, MAX_GRANT_LENGTH};
use crate::agreement::AgreementKey;
use crate::code;

/// A device of the account that has scanned a new device's code.
pub struct LinkingApprover {
    channel: Channel,
    user: UserAddress,
    account: Fingerprint,
    requested: bool,
    finished: bool,
}

impl LinkingApprover {
    /// Reads a new device's code and answers with the first message to it. `user` and `account`
    /// are one's own.
    pub fn scan<R: CryptoRng + ?Sized>(
        qr_text: &str,
        user: UserAddress,
        account: Fingerprint,
        rng: &mut R,
    ) -> Result<(Self, Vec<u8>), LinkingError> {
        let bytes =
            code::read::<QR_LENGTH>(QR_PREFIX, qr_text).ok_or(LinkingError::NotALinkingCode)?;
        let mut reader = Reader::new(bytes.as_slice());
        let linking_id = reader.uuid()?;
        let device = AgreementPublicKey::from_bytes(reader.slice(AgreementPublicKey::LENGTH)?)?;
        let secret = Zeroizing::new(reader.array()?);
        let ephemeral = AgreementKey::generate(rng);
        let approver = ephemeral.public();
        let transcript = Transcript { linking_id, user, device: &device, approver };
        let channel = Channel::derive(&transcript, &secret, &ephemeral.agree(&device));
        let hello = channel.seal(Message::Hello, approver.as_bytes(), account.as_bytes());
        Ok((Self { channel, user, account, requested: false, finished: false }, hello))
    }

    /// Returns the linking's id, under which the service relays the messages.
    pub fn linking_id(&self) -> Uuid {
        self.channel.linking_id()
    }

    /// Returns the six digits that the new device's screen must show too.
    pub fn check_code(&self) -> String {
        self.channel.check_code()
    }

    /// Opens the new device's request, once, and checks that it is for this account, that the
    /// device holds its key, and that it signed its prekeys.
    pub fn open_request(&mut self, bytes: &[u8]) -> Result<LinkingRequest, LinkingError> {
        if self.requested || self.finished {
            return Err(LinkingError::OutOfTurn);
        }
        let content = self.channel.open_padded(Message::Request, bytes)?;
        let request = LinkingRequest::from_bytes(&content)?;
        request.check(self.user, self.account)?;
        self.requested = true;
        Ok(request)
    }

    /// Seals what the certified device needs, once. Refused before a request was opened.
    pub fn seal_grant(&mut self, payload: &[u8]) -> Result<Vec<u8>, LinkingError> {
        if !self.requested {
            return Err(LinkingError::OutOfTurn);
        }
        if payload.len() > MAX_GRANT_LENGTH {
            return Err(LinkingError::TooLong);
        }
        let mut content = Zeroizing::new(Vec::with_capacity(1 + payload.len()));
        content.push(APPROVED);
        content.extend_from_slice(payload);
        self.finish(&content)
    }

    /// Seals a refusal, before or after the request came.
    pub fn seal_refusal(&mut self) -> Result<Vec<u8>, LinkingError> {
        self.finish(&[DECLINED])
    }

    fn finish(&mut self, content: &[u8]) -> Result<Vec<u8>, LinkingError> {
        if self.finished {
            return Err(LinkingError::OutOfTurn);
        }
        let sealed = self.channel.seal_padded(Message::Grant, content)?;
        self.finished = true;
        Ok(sealed)
    }
}

impl fmt::Debug for LinkingApprover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkingApprover")
            .field("linking_id", &self.channel.linking_id())
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}
