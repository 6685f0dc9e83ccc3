//! Device certificates: an approver says that a device belongs to the account.

use core::fmt;

use uuid::Uuid;

use crate::address::{DeviceAddress, UserAddress};
use crate::encoding::{DecodeError, Reader, StructureType, labelled, labelled_hash};
use crate::fingerprint::Fingerprint;
use crate::keys::{AgreementPublicKey, RootPublicKey, SigningPublicKey};
use crate::signature::{InvalidSignature, Signature, Signer};

const VERSION: u8 = 1;
const POSSESSION_LABEL: &str = "Plasma/v1/device-possession";
const CERTIFICATE_LABEL: &str = "Plasma/v1/device-certificate";
const HASH_LABEL: &str = "Plasma/v1/certificate-hash";
const MAY_APPROVE: u8 = 1;

/// What a device can do, as bits. Unknown bits are kept and mean nothing to version 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capabilities(pub u32);

impl Capabilities {
    /// Bit 0: speaks version 1 of the protocol. Every certificate sets it.
    pub const V1: Self = Self(1);

    /// Tells whether every bit of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Hash of a certificate's signed bytes: how manifests, handshakes and messages name it.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CertificateHash(pub [u8; 32]);

impl fmt::Debug for CertificateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificateHash({:02x?}..)", &self.0[..4])
    }
}

/// What a device says of itself and signs with its own DSK.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeviceStatement {
    /// The device.
    pub address: DeviceAddress,
    /// The account that it wants to be part of: a certificate cannot be moved to another root.
    pub account: Fingerprint,
    /// The key with which it signs.
    pub signing_key: SigningPublicKey,
    /// The key with which it agrees.
    pub agreement_key: AgreementPublicKey,
    /// What it can do; bit 0 must be set.
    pub capabilities: Capabilities,
}

impl DeviceStatement {
    const LENGTH: usize = 48 + 32 + 65 + 65 + 4;

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.address.to_bytes());
        out.extend_from_slice(self.account.as_bytes());
        out.extend_from_slice(self.signing_key.as_bytes());
        out.extend_from_slice(self.agreement_key.as_bytes());
        out.extend_from_slice(&self.capabilities.0.to_be_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let statement = Self {
            address: DeviceAddress::read(reader)?,
            account: Fingerprint::from_bytes(reader.array()?),
            signing_key: SigningPublicKey::from_bytes(reader.slice(SigningPublicKey::LENGTH)?)?,
            agreement_key: AgreementPublicKey::from_bytes(
                reader.slice(AgreementPublicKey::LENGTH)?,
            )?,
            capabilities: Capabilities(reader.u32()?),
        };
        if !statement.capabilities.contains(Capabilities::V1) {
            return Err(DecodeError::InvalidField("capabilities"));
        }
        Ok(statement)
    }

    fn possession_input(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(Self::LENGTH);
        self.write(&mut body);
        labelled(POSSESSION_LABEL, &[&body])
    }
}

/// A new device's request to be certified: its statement, signed by its own DSK only.
#[derive(Clone, Copy, Debug)]
pub struct CertificateRequest {
    statement: DeviceStatement,
    possession: Signature,
}

impl CertificateRequest {
    /// Signs `statement` with the device's own DSK, which `signer` holds.
    pub fn sign(statement: DeviceStatement, signer: &impl Signer) -> Self {
        Self { statement, possession: signer.sign(&statement.possession_input()) }
    }

    /// Returns what the device says of itself.
    pub fn statement(&self) -> &DeviceStatement {
        &self.statement
    }

    /// Checks that the requester holds the DSK that it names.
    pub fn verify(&self) -> Result<(), InvalidSignature> {
        self.statement.signing_key.verify(&self.statement.possession_input(), &self.possession)
    }

    /// Encodes the request.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![StructureType::CertificateRequest as u8, VERSION];
        self.statement.write(&mut out);
        out.extend_from_slice(&self.possession.to_bytes());
        out
    }

    /// Decodes a request; the signature is checked by [`CertificateRequest::verify`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(StructureType::CertificateRequest as u8, VERSION)?;
        let statement = DeviceStatement::read(&mut reader)?;
        let possession = Signature::from_bytes(reader.array()?)?;
        reader.finish()?;
        Ok(Self { statement, possession })
    }
}

/// Who signed a certificate or a manifest.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Issuer {
    /// The account's root key.
    Root,
    /// The DSK of an approver of the same user.
    Device(Uuid),
}

impl Issuer {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let (kind, device) = match self {
            Self::Root => (0, Uuid::nil()),
            Self::Device(device) => (1, device),
        };
        out.push(kind);
        out.extend_from_slice(device.as_bytes());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match (reader.u8()?, reader.uuid()?) {
            (0, device) if device.is_nil() => Ok(Self::Root),
            (1, device) => Ok(Self::Device(device)),
            _ => Err(DecodeError::InvalidField("issuer")),
        }
    }
}

/// What the approver adds to a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CertificateTerms {
    /// Whether the device may certify others and sign manifests.
    pub may_approve: bool,
    /// Unix seconds from which on the certificate holds.
    pub not_before: u64,
    /// Who certifies.
    pub issuer: Issuer,
}

/// A device of an account: counter-signed by its own DSK and signed by its issuer.
#[derive(Clone, Copy, Debug)]
pub struct DeviceCertificate {
    request: CertificateRequest,
    terms: CertificateTerms,
    signature: Signature,
    hash: CertificateHash,
}

impl DeviceCertificate {
    /// Length of the encoding.
    pub const LENGTH: usize = 2 + DeviceStatement::LENGTH + 64 + 1 + 8 + 17 + 64;

    /// Certifies `request` with the issuer's key. The caller has verified the request.
    pub fn sign(
        request: CertificateRequest,
        terms: CertificateTerms,
        signer: &impl Signer,
    ) -> Self {
        let body = signed_bytes(&request, &terms);
        let signature = signer.sign(&labelled(CERTIFICATE_LABEL, &[&body]));
        Self { request, terms, signature, hash: hash_of(&body) }
    }

    /// Returns the device's full address.
    pub fn address(&self) -> DeviceAddress {
        self.request.statement.address
    }

    /// Returns the user whose device this is.
    pub fn user_address(&self) -> UserAddress {
        self.address().user_address()
    }

    /// Returns the fingerprint of the account that the device joined.
    pub fn account(&self) -> Fingerprint {
        self.request.statement.account
    }

    /// Returns the DSK.
    pub fn signing_key(&self) -> &SigningPublicKey {
        &self.request.statement.signing_key
    }

    /// Returns the DHK.
    pub fn agreement_key(&self) -> &AgreementPublicKey {
        &self.request.statement.agreement_key
    }

    /// Returns what the device can do.
    pub fn capabilities(&self) -> Capabilities {
        self.request.statement.capabilities
    }

    /// Tells whether the device may certify others and sign manifests.
    pub fn may_approve(&self) -> bool {
        self.terms.may_approve
    }

    /// Returns the unix seconds from which on the certificate holds.
    pub fn not_before(&self) -> u64 {
        self.terms.not_before
    }

    /// Returns who certified the device.
    pub fn issuer(&self) -> Issuer {
        self.terms.issuer
    }

    /// Returns the hash over everything but the issuer's signature, which is malleable.
    pub fn hash(&self) -> CertificateHash {
        self.hash
    }

    /// Checks that the device holds the DSK that the certificate names.
    pub fn verify_possession(&self) -> Result<(), InvalidSignature> {
        self.request.verify()
    }

    /// Checks the issuer's signature against an approver's certificate.
    pub fn verify_issuer(&self, issuer: &SigningPublicKey) -> Result<(), InvalidSignature> {
        issuer.verify(&self.issuer_input(), &self.signature)
    }

    /// Checks the issuer's signature against the root key.
    pub fn verify_root(&self, root: &RootPublicKey) -> Result<(), InvalidSignature> {
        root.verify(&self.issuer_input(), &self.signature)
    }

    fn issuer_input(&self) -> Vec<u8> {
        labelled(CERTIFICATE_LABEL, &[&signed_bytes(&self.request, &self.terms)])
    }

    /// Encodes the certificate.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = signed_bytes(&self.request, &self.terms);
        out.extend_from_slice(&self.signature.to_bytes());
        out
    }

    /// Decodes a certificate; trust comes from the chain, see [`crate::verify_chain`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(StructureType::Certificate as u8, VERSION)?;
        let statement = DeviceStatement::read(&mut reader)?;
        let possession = Signature::from_bytes(reader.array()?)?;
        let may_approve = match reader.u8()? {
            0 => false,
            MAY_APPROVE => true,
            _ => return Err(DecodeError::InvalidField("flags")),
        };
        let not_before = reader.u64()?;
        let issuer = Issuer::read(&mut reader)?;
        let signature = Signature::from_bytes(reader.array()?)?;
        reader.finish()?;
        let request = CertificateRequest { statement, possession };
        let terms = CertificateTerms { may_approve, not_before, issuer };
        let hash = hash_of(&signed_bytes(&request, &terms));
        Ok(Self { request, terms, signature, hash })
    }
}

fn hash_of(body: &[u8]) -> CertificateHash {
    CertificateHash(labelled_hash(HASH_LABEL, &[body]))
}

fn signed_bytes(request: &CertificateRequest, terms: &CertificateTerms) -> Vec<u8> {
    let mut out = Vec::with_capacity(DeviceCertificate::LENGTH);
    out.extend_from_slice(&[StructureType::Certificate as u8, VERSION]);
    request.statement.write(&mut out);
    out.extend_from_slice(&request.possession.to_bytes());
    out.push(if terms.may_approve { MAY_APPROVE } else { 0 });
    out.extend_from_slice(&terms.not_before.to_be_bytes());
    terms.issuer.write(&mut out);
    out
}
