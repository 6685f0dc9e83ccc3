//! What the service hands out so that a session with a device can be started.

use plasma_identity::encoding::Reader;
use plasma_identity::{AgreementPublicKey, DeviceCertificate, PrekeyRole, SignedPrekey};

use crate::error::InitiateError;
use crate::kem::KemKey;

/// One device's keys for one handshake.
#[derive(Clone, Debug)]
pub struct PrekeyBundle {
    /// The device's certificate, to be the one that its account's manifest lists.
    pub certificate: DeviceCertificate,
    /// The signed EC prekey.
    pub signed: SignedPrekey,
    /// A one-time KEM prekey, or the last-resort one when none is left.
    pub kem: SignedPrekey,
    /// A one-time EC prekey, when one is left.
    pub one_time: Option<SignedPrekey>,
}

/// The bundle's keys after every check.
pub(crate) struct CheckedBundle<'a> {
    pub(crate) signed_id: u32,
    pub(crate) signed: AgreementPublicKey,
    pub(crate) kem: &'a SignedPrekey,
    pub(crate) kem_key: KemKey,
    pub(crate) one_time: Option<(u32, AgreementPublicKey)>,
}

impl PrekeyBundle {
    pub(crate) fn check(
        &self,
        certified: &DeviceCertificate,
        now: u64,
    ) -> Result<CheckedBundle<'_>, InitiateError> {
        if self.certificate.hash() != certified.hash() {
            return Err(InitiateError::UncertifiedBundle);
        }
        let one_time_role =
            self.one_time.as_ref().is_none_or(|key| key.role() == PrekeyRole::OneTimeEc);
        if self.signed.role() != PrekeyRole::SignedEc || !self.kem.role().is_kem() || !one_time_role
        {
            return Err(InitiateError::WrongRole);
        }
        for prekey in [&self.signed, &self.kem].into_iter().chain(&self.one_time) {
            prekey.verify_at(certified, now)?;
        }
        let point = |prekey: &SignedPrekey| {
            AgreementPublicKey::from_bytes(prekey.key()).map_err(|_| InitiateError::InvalidKey)
        };
        Ok(CheckedBundle {
            signed_id: self.signed.id(),
            signed: point(&self.signed)?,
            kem: &self.kem,
            kem_key: KemKey::read(&mut Reader::new(self.kem.key()))
                .map_err(|_| InitiateError::InvalidKey)?,
            one_time: match &self.one_time {
                Some(prekey) => Some((prekey.id(), point(prekey)?)),
                None => None,
            },
        })
    }
}
