//! A device's own keys: DSK to sign, DHK to agree.

use core::fmt;

use plasma_identity::encoding::Reader;
use plasma_identity::{
    AgreementPublicKey, Capabilities, CertificateRequest, DeviceAddress, DeviceCertificate,
    DeviceStatement, Fingerprint, Signature, Signer, SigningPublicKey,
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::agreement::AgreementKey;
use crate::error::StateError;
use crate::primitives::{PRIVATE_LENGTH, PrivateSigning};
use crate::state::{StateType, VERSION};

/// The private keys of one device. They are never handed to another device.
#[derive(Clone)]
pub struct DeviceKeys {
    address: DeviceAddress,
    signing: PrivateSigning,
    agreement: AgreementKey,
}

impl DeviceKeys {
    /// Generates the keys of a new device. Its id is random and never reused.
    pub fn generate<R: CryptoRng + ?Sized>(address: DeviceAddress, rng: &mut R) -> Self {
        Self {
            address,
            signing: PrivateSigning::generate(rng),
            agreement: AgreementKey::generate(rng),
        }
    }

    /// Returns the device's full address.
    pub fn address(&self) -> DeviceAddress {
        self.address
    }

    /// Returns the public half of the DSK.
    pub fn signing_key(&self) -> SigningPublicKey {
        self.signing.public()
    }

    /// Returns the public half of the DHK.
    pub fn agreement_key(&self) -> AgreementPublicKey {
        *self.agreement.public()
    }

    /// Makes the request that the root or an approver turns into a certificate.
    pub fn certificate_request(
        &self,
        account: Fingerprint,
        capabilities: Capabilities,
    ) -> CertificateRequest {
        let statement = DeviceStatement {
            address: self.address,
            account,
            signing_key: self.signing_key(),
            agreement_key: self.agreement_key(),
            capabilities,
        };
        CertificateRequest::sign(statement, self)
    }

    /// Tells whether a certificate is about these keys.
    pub(crate) fn match_certificate(&self, certificate: &DeviceCertificate) -> bool {
        certificate.address() == self.address
            && *certificate.signing_key() == self.signing_key()
            && certificate.agreement_key() == self.agreement.public()
    }

    pub(crate) fn agree(&self, peer: &AgreementPublicKey) -> crate::secret::Secret {
        self.agreement.agree(peer)
    }

    /// Encodes the private keys, to be sealed by the caller.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(114));
        out.extend_from_slice(&[StateType::DeviceKeys as u8, VERSION]);
        out.extend_from_slice(&self.address.to_bytes());
        out.extend_from_slice(&self.signing.to_bytes()[..]);
        self.agreement.write(&mut out);
        out
    }

    /// Decodes what [`DeviceKeys::to_bytes`] encoded.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(StateType::DeviceKeys as u8, VERSION)?;
        let address = DeviceAddress::read(&mut reader)?;
        let signing = PrivateSigning::from_bytes(reader.slice(PRIVATE_LENGTH)?)?;
        let agreement = AgreementKey::read(&mut reader)?;
        reader.finish()?;
        Ok(Self { address, signing, agreement })
    }
}

impl Signer for DeviceKeys {
    fn sign(&self, message: &[u8]) -> Signature {
        self.signing.sign(message)
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKeys").field("address", &self.address).finish_non_exhaustive()
    }
}
