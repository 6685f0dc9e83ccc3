//! Private keys for P-256 agreement.

use core::fmt;

use p256::SecretKey;
use p256::elliptic_curve::Generate;
use plasma_identity::AgreementPublicKey;
use plasma_identity::encoding::{DecodeError, Reader};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// A P-256 private key with its public half.
#[derive(Clone)]
pub(crate) struct AgreementKey {
    private: SecretKey,
    public: AgreementPublicKey,
}

impl AgreementKey {
    pub(crate) const LENGTH: usize = 32;

    pub(crate) fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self::from_private(SecretKey::generate_from_rng(rng))
    }

    fn from_private(private: SecretKey) -> Self {
        let public = private.public_key().into();
        Self { private, public }
    }

    pub(crate) fn public(&self) -> &AgreementPublicKey {
        &self.public
    }

    /// Computes the x coordinate of the shared point.
    pub(crate) fn agree(&self, peer: &AgreementPublicKey) -> Secret {
        let shared = self.private.diffie_hellman(peer.as_point());
        Secret::new((*shared.raw_secret_bytes()).into())
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&Zeroizing::new(<[u8; 32]>::from(self.private.to_bytes()))[..]);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        SecretKey::from_slice(reader.slice(Self::LENGTH)?)
            .map(Self::from_private)
            .map_err(|_| DecodeError::InvalidField("private key"))
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
        let private = SecretKey::from_slice(reader.slice(Self::LENGTH)?)
            .map_err(|_| DecodeError::InvalidField("private key"))?;
        let public = AgreementPublicKey::from_bytes(reader.slice(AgreementPublicKey::LENGTH)?)?;
        Ok(Self { private, public })
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgreementKey").field("public", &self.public).finish_non_exhaustive()
    }
}
