//! Private keys for P-256 agreement.

use core::fmt;

use plasma_identity::AgreementPublicKey;
use plasma_identity::encoding::{DecodeError, Reader};
use rand_core::CryptoRng;

use crate::primitives::{PRIVATE_LENGTH, PrivateAgreement};
use crate::secret::Secret;

/// A private key with its public half.
#[derive(Clone)]
pub(crate) struct AgreementKey {
    private: PrivateAgreement,
    public: AgreementPublicKey,
}

impl AgreementKey {
    pub(crate) const LENGTH: usize = PRIVATE_LENGTH;

    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self::from_private(PrivateAgreement::generate(rng))
    }

    fn from_private(private: PrivateAgreement) -> Self {
        let public = private.public();
        Self { private, public }
    }

    pub(crate) fn public(&self) -> &AgreementPublicKey {
        &self.public
    }

    /// Computes the x coordinate of the shared point.
    pub(crate) fn agree(&self, peer: &AgreementPublicKey) -> Secret {
        self.private.agree(peer)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.private.to_bytes()[..]);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        PrivateAgreement::from_bytes(reader.slice(Self::LENGTH)?).map(Self::from_private)
    }
}

impl AgreementKey {
    /// Appends both halves, so that reading them back costs no multiplication.
    pub(crate) fn write_pair(&self, out: &mut Vec<u8>) {
        self.write(out);
        out.extend_from_slice(self.public.as_bytes());
    }

    /// Reads what [`AgreementKey::write_pair`] wrote into this device's own store.
    pub(crate) fn read_pair(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let private = PrivateAgreement::from_bytes(reader.slice(Self::LENGTH)?)?;
        let public = AgreementPublicKey::from_bytes(reader.slice(AgreementPublicKey::LENGTH)?)?;
        Ok(Self { private, public })
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgreementKey").field("public", &self.public).finish_non_exhaustive()
    }
}
