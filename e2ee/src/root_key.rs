//! The account's root key, which signs generations and nothing else.

use core::fmt;

use plasma_identity::encoding::{DecodeError, Reader};
use plasma_identity::{
    CertificateRequest, CertificateTerms, DeviceCertificate, Fingerprint, Issuer,
    MANIFEST_LIFETIME_SECONDS, MAX_DEVICES, Manifest, ManifestHash, ManifestStatement,
    RootPublicKey, Signature, Signer, UserAddress, VerifiedAccount,
};
use rand_core::CryptoRng;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::{ApproveError, StateError};
use crate::primitives::{PRIVATE_LENGTH, PrivateSigning};
use crate::state::{StateType, VERSION};

/// The root key of an account.
#[derive(Clone)]
pub struct RootKey {
    key: PrivateSigning,
}

impl RootKey {
    /// Generates a root key.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self { key: PrivateSigning::generate(rng) }
    }

    /// Returns the public half.
    pub fn public(&self) -> RootPublicKey {
        self.key.public()
    }

    /// Computes the fingerprint of the account that this key founds for `user`.
    pub fn fingerprint(&self, user: UserAddress) -> Fingerprint {
        self.public().fingerprint(user)
    }

    /// Certifies a device, as an approver, for the manifest that starts a generation.
    pub fn certify(
        &self,
        request: &CertificateRequest,
        now: u64,
    ) -> Result<DeviceCertificate, ApproveError> {
        request.verify().map_err(|_| ApproveError::BadRequest)?;
        let statement = request.statement();
        if statement.account != self.fingerprint(statement.address.user_address()) {
            return Err(ApproveError::WrongAccount);
        }
        let terms = CertificateTerms { may_approve: true, not_before: now, issuer: Issuer::Root };
        Ok(DeviceCertificate::sign(*request, terms, self))
    }

    /// Signs the first manifest of a generation: the account's very first one without `previous`,
    /// otherwise one that overrides `previous` and everything that competes with it.
    pub fn start_generation(
        &self,
        user: UserAddress,
        certificates: &[DeviceCertificate],
        previous: Option<&Manifest>,
        now: u64,
    ) -> Result<Manifest, ApproveError> {
        let account = self.fingerprint(user);
        let foreign = |certificate: &DeviceCertificate| {
            certificate.user_address() != user || certificate.account() != account
        };
        if certificates.iter().any(foreign) {
            return Err(ApproveError::WrongAccount);
        }
        let (generation, epoch, hash) = match previous.map(|last| (last.statement(), last.hash())) {
            None => (0, 1, ManifestHash::NONE),
            Some((last, hash)) => {
                (last.generation.saturating_add(1), last.epoch.saturating_add(1), hash)
            }
        };
        let mut hashes: Vec<_> = certificates.iter().map(DeviceCertificate::hash).collect();
        hashes.sort_unstable();
        let statement = ManifestStatement {
            user,
            account,
            generation,
            epoch,
            previous: hash,
            issued: now,
            expires: now.saturating_add(MANIFEST_LIFETIME_SECONDS),
            signer: Issuer::Root,
            certificates: hashes,
        };
        Ok(Manifest::sign(statement, self)?)
    }

    /// Begins the next generation of an account on top of its manifest: with the devices to `keep`,
    /// and with a `new` one that the root certifies as an approver, and without all others.
    ///
    /// At least one of them must be an approver. An account whose manifest has expired comes from
    /// [`plasma_identity::verify_chain_to_recover`].
    pub fn recover(
        &self,
        account: &VerifiedAccount,
        keep: &[Uuid],
        new: Option<&CertificateRequest>,
        now: u64,
    ) -> Result<(Option<DeviceCertificate>, Manifest), ApproveError> {
        let user = account.user_address();
        if *account.root() != self.public() {
            return Err(ApproveError::WrongAccount);
        }
        let mut devices = Vec::with_capacity(keep.len() + 1);
        for &device in keep {
            devices.push(*account.device(device).ok_or(ApproveError::UnknownDevice)?);
        }
        let certificate = new.map(|request| self.certify(request, now)).transpose()?;
        if let Some(certificate) = certificate {
            devices.retain(|kept| kept.address() != certificate.address());
            devices.push(certificate);
        }
        if !(1..=MAX_DEVICES).contains(&devices.len()) {
            return Err(ApproveError::DeviceCount);
        }
        let manifest = self.start_generation(user, &devices, Some(account.manifest()), now)?;
        account.clone().advance(core::slice::from_ref(&manifest), &devices, now)?;
        Ok((certificate, manifest))
    }

    /// Returns the private scalar, for the recovery kit.
    pub(crate) fn scalar(&self) -> Zeroizing<[u8; PRIVATE_LENGTH]> {
        self.key.to_bytes()
    }

    /// Takes the private scalar out of a recovery kit.
    pub(crate) fn from_scalar(scalar: &[u8]) -> Result<Self, DecodeError> {
        PrivateSigning::from_bytes(scalar).map(|key| Self { key })
    }

    /// Encodes the private key, to be sealed by the caller.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(vec![StateType::RootKey as u8, VERSION]);
        out.extend_from_slice(&self.scalar()[..]);
        out
    }

    /// Decodes what [`RootKey::to_bytes`] encoded.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(StateType::RootKey as u8, VERSION)?;
        let root = Self::from_scalar(reader.slice(PRIVATE_LENGTH)?)?;
        reader.finish()?;
        Ok(root)
    }
}

impl Signer for RootKey {
    fn sign(&self, message: &[u8]) -> Signature {
        self.key.sign(message)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootKey").field("public", &self.public()).finish_non_exhaustive()
    }
}
