//! The new device's side of a linking.

use core::fmt;

use plasma_identity::{
    AgreementPublicKey, CertificateRequest, DecodeError, Fingerprint, SignedPrekey, UserAddress,
};
use rand_core::CryptoRng;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::LinkingError;
use super::channel::{Channel, Message, Transcript, read_header};
use super::request::LinkingRequest;
use crate::agreement::AgreementKey;
use crate::code;
use crate::secret::Secret;

pub(super) const QR_PREFIX: &str = "plasma-link:1:";
pub(super) const QR_LENGTH: usize = 16 + AgreementPublicKey::LENGTH + 32;
pub(super) const DECLINED: u8 = 0;
pub(super) const APPROVED: u8 = 1;

/// A new device that shows its code and waits for an approver.
pub struct LinkingDevice {
    linking_id: Uuid,
    user: UserAddress,
    ephemeral: AgreementKey,
    secret: Secret,
    answered: bool,
}

impl LinkingDevice {
    /// Starts a linking under an id that the service has given for it.
    pub fn start<R: CryptoRng + ?Sized>(linking_id: Uuid, user: UserAddress, rng: &mut R) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        Self {
            linking_id,
            user,
            ephemeral: AgreementKey::generate(rng),
            secret: Secret::new(*secret),
            answered: false,
        }
    }

    /// Returns the linking's id.
    pub fn linking_id(&self) -> Uuid {
        self.linking_id
    }

    /// Returns the text of the QR code that the approver scans.
    pub fn qr_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(QR_LENGTH));
        bytes.extend_from_slice(self.linking_id.as_bytes());
        bytes.extend_from_slice(self.ephemeral.public().as_bytes());
        bytes.extend_from_slice(self.secret.expose());
        code::text(QR_PREFIX, &bytes)
    }

    /// Opens the approver's first message. One linking takes one approver: a second hello is out
    /// of turn, a bad one changes nothing.
    pub fn receive_hello(&mut self, bytes: &[u8]) -> Result<DeviceChannel, LinkingError> {
        if self.answered {
            return Err(LinkingError::OutOfTurn);
        }
        let mut reader = read_header(Message::Hello, bytes)?;
        let approver = AgreementPublicKey::from_bytes(reader.slice(AgreementPublicKey::LENGTH)?)?;
        let transcript = Transcript {
            linking_id: self.linking_id,
            user: self.user,
            device: self.ephemeral.public(),
            approver: &approver,
        };
        let agreement = self.ephemeral.agree(&approver);
        let channel = Channel::derive(&transcript, self.secret.expose(), &agreement);
        let body = channel.open(Message::Hello, reader.rest())?;
        let account =
            body.as_slice().try_into().map_err(|_| DecodeError::InvalidField("account"))?;
        self.answered = true;
        Ok(DeviceChannel {
            channel,
            user: self.user,
            account: Fingerprint::from_bytes(account),
            requested: false,
            finished: false,
        })
    }
}

/// How an approver answers a request.
#[derive(Clone, Eq, PartialEq)]
pub enum Grant {
    /// The device is certified; the payload is what it needs.
    Approved(Zeroizing<Vec<u8>>),
    /// The device is not wanted.
    Declined,
}

/// A new device's channel to the approver that has scanned its code.
pub struct DeviceChannel {
    channel: Channel,
    user: UserAddress,
    account: Fingerprint,
    requested: bool,
    finished: bool,
}

impl DeviceChannel {
    /// Returns the six digits that the approver's screen must show too.
    pub fn check_code(&self) -> String {
        self.channel.check_code()
    }

    /// Returns the fingerprint of the account that the approver belongs to.
    pub fn account(&self) -> Fingerprint {
        self.account
    }

    /// Seals the request, once. A request that the approver would refuse is refused here.
    pub fn seal_request(
        &mut self,
        certificate_request: &CertificateRequest,
        signed_prekey: &SignedPrekey,
        last_resort_kem_prekey: &SignedPrekey,
        name: &str,
    ) -> Result<Vec<u8>, LinkingError> {
        if self.requested || self.finished {
            return Err(LinkingError::OutOfTurn);
        }
        let request = LinkingRequest {
            certificate_request: *certificate_request,
            signed_prekey: signed_prekey.clone(),
            last_resort_kem_prekey: last_resort_kem_prekey.clone(),
            name: name.to_owned(),
        };
        request.check(self.user, self.account)?;
        let sealed = self.channel.seal_padded(Message::Request, &request.to_bytes())?;
        self.requested = true;
        Ok(sealed)
    }

    /// Opens the approver's answer, once. It may decline before it has seen the request.
    pub fn open_grant(&mut self, bytes: &[u8]) -> Result<Grant, LinkingError> {
        if self.finished {
            return Err(LinkingError::OutOfTurn);
        }
        let content = self.channel.open_padded(Message::Grant, bytes)?;
        let grant = match content.split_first() {
            Some((&APPROVED, _)) if !self.requested => return Err(LinkingError::OutOfTurn),
            Some((&APPROVED, payload)) => Grant::Approved(Zeroizing::new(payload.to_vec())),
            Some((&DECLINED, [])) => Grant::Declined,
            _ => {
                return Err(DecodeError::InvalidField("grant").into());
            }
        };
        self.finished = true;
        Ok(grant)
    }
}

impl fmt::Debug for LinkingDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkingDevice")
            .field("linking_id", &self.linking_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DeviceChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceChannel")
            .field("linking_id", &self.channel.linking_id())
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approved(_) => "Approved(..)",
            Self::Declined => "Declined",
        })
    }
}
