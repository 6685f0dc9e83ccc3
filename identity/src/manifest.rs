//! Manifests: the signed, hash-chained list of an account's devices.

use core::fmt;

use crate::address::UserAddress;
use crate::certificate::{CertificateHash, Issuer};
use crate::encoding::{DecodeError, Reader, StructureType, labelled, labelled_hash};
use crate::fingerprint::Fingerprint;
use crate::keys::{RootPublicKey, SigningPublicKey};
use crate::signature::{InvalidSignature, Signature, Signer};
use crate::{MANIFEST_LIFETIME_SECONDS, MAX_DEVICES};

const VERSION: u8 = 1;
const MANIFEST_LABEL: &str = "Plasma/v1/manifest-signature";
const HASH_LABEL: &str = "Plasma/v1/manifest-hash";

/// Hash of a manifest's signed bytes.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ManifestHash(pub [u8; 32]);

impl ManifestHash {
    /// What the very first manifest names as its predecessor.
    pub const NONE: Self = Self([0; 32]);
}

impl fmt::Debug for ManifestHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManifestHash({:02x?}..)", &self.0[..4])
    }
}

/// What a manifest says; [`Manifest::sign`] makes it binding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManifestStatement {
    /// The user.
    pub user: UserAddress,
    /// The account's fingerprint.
    pub account: Fingerprint,
    /// Counts the root's interventions; the first is 0.
    pub generation: u32,
    /// Counts the manifests, over all generations; the first is 1.
    pub epoch: u64,
    /// The manifest before this one, [`ManifestHash::NONE`] for the first.
    pub previous: ManifestHash,
    /// Unix seconds of signing.
    pub issued: u64,
    /// Unix seconds at which a fresher manifest is due, at most 30 days after `issued`.
    pub expires: u64,
    /// The root for the first manifest of a generation, an approver for every other.
    pub signer: Issuer,
    /// The certified devices, strictly ascending, 1 to 10.
    pub certificates: Vec<CertificateHash>,
}

impl ManifestStatement {
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![StructureType::Manifest as u8, VERSION];
        self.user.write(&mut out);
        out.extend_from_slice(self.account.as_bytes());
        out.extend_from_slice(&self.generation.to_be_bytes());
        out.extend_from_slice(&self.epoch.to_be_bytes());
        out.extend_from_slice(&self.previous.0);
        out.extend_from_slice(&self.issued.to_be_bytes());
        out.extend_from_slice(&self.expires.to_be_bytes());
        self.signer.write(&mut out);
        // `check` bounds the list before anything is signed or accepted.
        out.push(u8::try_from(self.certificates.len()).unwrap_or(u8::MAX));
        for hash in &self.certificates {
            out.extend_from_slice(&hash.0);
        }
        out
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.prefix(StructureType::Manifest as u8, VERSION)?;
        let mut statement = Self {
            user: UserAddress::read(reader)?,
            account: Fingerprint::from_bytes(reader.array()?),
            generation: reader.u32()?,
            epoch: reader.u64()?,
            previous: ManifestHash(reader.array()?),
            issued: reader.u64()?,
            expires: reader.u64()?,
            signer: Issuer::read(reader)?,
            certificates: Vec::new(),
        };
        for _ in 0..reader.u8()? {
            statement.certificates.push(CertificateHash(reader.array()?));
        }
        statement.check()?;
        Ok(statement)
    }

    fn check(&self) -> Result<(), DecodeError> {
        if !(1..=MAX_DEVICES).contains(&self.certificates.len())
            || !self.certificates.is_sorted_by(|a, b| a < b)
        {
            return Err(DecodeError::InvalidField("certificates"));
        }
        let lifetime = self.expires.checked_sub(self.issued);
        if !lifetime.is_some_and(|seconds| (1..=MANIFEST_LIFETIME_SECONDS).contains(&seconds)) {
            return Err(DecodeError::InvalidField("expires"));
        }
        let first = self.generation == 0 && self.epoch == 1;
        if self.epoch == 0 || first != (self.previous == ManifestHash::NONE) {
            return Err(DecodeError::InvalidField("previous"));
        }
        Ok(())
    }
}

/// A signed list of an account's devices.
#[derive(Clone, Debug)]
pub struct Manifest {
    statement: ManifestStatement,
    signature: Signature,
    hash: ManifestHash,
}

impl Manifest {
    /// Signs `statement` with the key of the signer that it names.
    ///
    /// Fails like the decoder when the statement breaks a bound of its fields.
    pub fn sign(statement: ManifestStatement, signer: &impl Signer) -> Result<Self, DecodeError> {
        statement.check()?;
        let body = statement.to_bytes();
        let signature = signer.sign(&labelled(MANIFEST_LABEL, &[&body]));
        Ok(Self { statement, signature, hash: hash_of(&body) })
    }

    /// Returns what the manifest says.
    pub fn statement(&self) -> &ManifestStatement {
        &self.statement
    }

    /// Returns the hash over everything but the signature, which is malleable.
    pub fn hash(&self) -> ManifestHash {
        self.hash
    }

    /// Checks the signature against an approver's key.
    pub fn verify_device(&self, signer: &SigningPublicKey) -> Result<(), InvalidSignature> {
        signer.verify(&self.signature_input(), &self.signature)
    }

    /// Checks the signature against the root key.
    pub fn verify_root(&self, root: &RootPublicKey) -> Result<(), InvalidSignature> {
        root.verify(&self.signature_input(), &self.signature)
    }

    fn signature_input(&self) -> Vec<u8> {
        labelled(MANIFEST_LABEL, &[&self.statement.to_bytes()])
    }

    /// Encodes the manifest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.statement.to_bytes();
        out.extend_from_slice(&self.signature.to_bytes());
        out
    }

    /// Decodes a manifest; trust comes from the chain, see [`crate::verify_chain`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let statement = ManifestStatement::read(&mut reader)?;
        let signature = Signature::from_bytes(reader.array()?)?;
        reader.finish()?;
        let hash = hash_of(&statement.to_bytes());
        Ok(Self { statement, signature, hash })
    }
}

fn hash_of(body: &[u8]) -> ManifestHash {
    ManifestHash(labelled_hash(HASH_LABEL, &[body]))
}
