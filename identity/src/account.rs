//! An account as one viewer knows it: verified once, advanced ever after, remembered as bytes.

use uuid::Uuid;

use crate::address::UserAddress;
use crate::certificate::{CertificateHash, DeviceCertificate};
use crate::chain::{ChainError, Standing, check_fresh, check_start, check_step};
use crate::encoding::{DecodeError, Reader, StructureType, length_prefix};
use crate::fingerprint::Fingerprint;
use crate::keys::RootPublicKey;
use crate::manifest::{Manifest, ManifestHash};
use crate::{MAX_CHAIN_LENGTH, MAX_LATENCY_SECONDS};

const VERSION: u8 = 1;
const MAX_KNOWN_MANIFESTS: usize = 256;

/// A manifest that an envelope may name: the current one or one superseded within 45 days.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownManifest {
    /// The manifest's generation.
    pub generation: u32,
    /// The manifest's epoch.
    pub epoch: u64,
    /// The manifest's hash.
    pub hash: ManifestHash,
    superseded: u64,
    certificates: Vec<CertificateHash>,
}

impl KnownManifest {
    fn current(manifest: &Manifest) -> Self {
        let statement = manifest.statement();
        Self {
            generation: statement.generation,
            epoch: statement.epoch,
            hash: manifest.hash(),
            superseded: 0,
            certificates: statement.certificates.clone(),
        }
    }
}

/// A user's devices, verified from the root on.
#[derive(Clone, Debug)]
pub struct VerifiedAccount {
    root: RootPublicKey,
    manifest: Manifest,
    devices: Vec<DeviceCertificate>,
    former: Vec<DeviceCertificate>,
    /// Oldest first; the last one is the current manifest.
    known: Vec<KnownManifest>,
}

/// Why remembered bytes are not an account.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccountBytesError {
    /// The bytes are not the encoding of an account.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The parts do not belong together.
    #[error("the parts of the account do not belong together")]
    Inconsistent,
}

/// Verifies an account that this viewer has not seen before.
///
/// `expected_fingerprint` comes from a link or QR code made on the owner's device; without it the
/// account is only as trustworthy as the service. `manifests` begin with the root-signed first
/// manifest of a generation and follow each other; `certificates` hold every certificate that any
/// of them lists, in any order (others are ignored). The newest manifest must not have expired at
/// `now` (unix seconds): a first-time viewer can be shown one that is at most 30 days old, and no
/// stronger claim is made.
pub fn verify_chain(
    expected: UserAddress,
    expected_fingerprint: Option<Fingerprint>,
    root: RootPublicKey,
    manifests: &[Manifest],
    certificates: &[DeviceCertificate],
    now: u64,
) -> Result<VerifiedAccount, ChainError> {
    if expected_fingerprint.is_some_and(|fingerprint| fingerprint != root.fingerprint(expected)) {
        return Err(ChainError::FingerprintMismatch);
    }
    if manifests.len() > MAX_CHAIN_LENGTH {
        return Err(ChainError::TooLong);
    }
    let (first, later) = manifests.split_first().ok_or(ChainError::Empty)?;
    let devices = check_start(&root, expected, first, certificates)?;
    let mut account = VerifiedAccount {
        root,
        manifest: first.clone(),
        devices,
        former: Vec::new(),
        known: vec![KnownManifest::current(first)],
    };
    for next in later {
        account.step(next, certificates, next.statement().issued.min(now))?;
    }
    check_fresh(&account.manifest, &account.devices, now)?;
    account.forget_before(now);
    Ok(account)
}

/// Verifies one's own account for recovery: like [`verify_chain`], but at the end of the newest
/// manifest's life, because nobody renews the manifest of an account whose devices are all lost.
/// Whatever the service once put in force passes: it did so before that end, whenever the manifest
/// says that it was issued, which a stolen approver may backdate.
///
/// The result is good for one thing: for the root to begin the next generation on top of it.
pub fn verify_chain_to_recover(
    own: UserAddress,
    root: RootPublicKey,
    manifests: &[Manifest],
    certificates: &[DeviceCertificate],
) -> Result<VerifiedAccount, ChainError> {
    let end = manifests.last().ok_or(ChainError::Empty)?.statement().expires;
    verify_chain(own, None, root, manifests, certificates, end.saturating_sub(1))
}

impl VerifiedAccount {
    /// Follows the account to newer manifests, in place; on an error nothing changes.
    ///
    /// `manifests` are in order and may begin with ones that are known already. `certificates`
    /// hold those of devices that are new. Refuses a rollback, a fork, a gap, a device that no
    /// approver certified, a signer that is not an approver, and a newest manifest that has
    /// expired at `now`, each with its own error.
    pub fn advance(
        &mut self,
        manifests: &[Manifest],
        certificates: &[DeviceCertificate],
        now: u64,
    ) -> Result<(), ChainError> {
        if manifests.len() > MAX_CHAIN_LENGTH {
            return Err(ChainError::TooLong);
        }
        let mut candidate = self.clone();
        let new = manifests.iter().skip_while(|manifest| self.knows(manifest.hash()));
        for next in new {
            candidate.step(next, certificates, now)?;
        }
        if manifests.last().is_some_and(|last| last.hash() != candidate.manifest.hash()) {
            return Err(ChainError::RolledBack);
        }
        check_fresh(&candidate.manifest, &candidate.devices, now)?;
        candidate.forget_before(now);
        *self = candidate;
        Ok(())
    }

    fn step(
        &mut self,
        next: &Manifest,
        certificates: &[DeviceCertificate],
        superseded: u64,
    ) -> Result<(), ChainError> {
        let standing =
            Standing { manifest: &self.manifest, devices: &self.devices, former: &self.former };
        let devices = check_step(&self.root, standing, next, certificates)?;
        let gone = self
            .devices
            .iter()
            .filter(|old| devices.iter().all(|device| device.hash() != old.hash()));
        self.former.extend(gone.copied());
        self.former.retain(|old| devices.iter().all(|device| device.hash() != old.hash()));
        if let Some(current) = self.known.last_mut() {
            current.superseded = superseded.max(1);
        }
        self.known.push(KnownManifest::current(next));
        self.manifest = next.clone();
        self.devices = devices;
        Ok(())
    }

    /// Forgets manifests that were superseded 45 days before `now`, and certificates that no
    /// remembered manifest lists.
    fn forget_before(&mut self, now: u64) {
        let excess = self.known.len().saturating_sub(MAX_KNOWN_MANIFESTS);
        self.known.drain(..excess);
        self.known.retain(|known| {
            known.superseded == 0 || known.superseded.saturating_add(MAX_LATENCY_SECONDS) > now
        });
        let known = &self.known;
        self.former.retain(|old| known.iter().any(|k| k.certificates.contains(&old.hash())));
    }

    /// Returns the user.
    pub fn user_address(&self) -> UserAddress {
        self.manifest.statement().user
    }

    /// Returns the root public key.
    pub fn root(&self) -> &RootPublicKey {
        &self.root
    }

    /// Returns the account's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.manifest.statement().account
    }

    /// Returns the current generation.
    pub fn generation(&self) -> u32 {
        self.manifest.statement().generation
    }

    /// Returns the current epoch.
    pub fn epoch(&self) -> u64 {
        self.manifest.statement().epoch
    }

    /// Returns the current manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the current manifest's hash, which names the set of devices.
    pub fn manifest_hash(&self) -> ManifestHash {
        self.manifest.hash()
    }

    /// Returns the unix seconds at which the current manifest expires.
    pub fn expires(&self) -> u64 {
        self.manifest.statement().expires
    }

    /// Returns the certificates of the current devices.
    pub fn devices(&self) -> &[DeviceCertificate] {
        &self.devices
    }

    /// Finds a current device.
    pub fn device(&self, device: Uuid) -> Option<&DeviceCertificate> {
        self.devices.iter().find(|certificate| certificate.address().device == device)
    }

    /// Tells whether a manifest is the current one or one superseded within 45 days.
    pub fn knows(&self, hash: ManifestHash) -> bool {
        self.known_manifest(hash).is_some()
    }

    /// Finds the current manifest or one superseded within 45 days.
    pub fn known_manifest(&self, hash: ManifestHash) -> Option<&KnownManifest> {
        self.known.iter().rev().find(|known| known.hash == hash)
    }

    /// Finds a device's certificate as listed in a known manifest.
    pub fn certificate_at(&self, hash: ManifestHash, device: Uuid) -> Option<&DeviceCertificate> {
        let known = self.known_manifest(hash)?;
        self.devices.iter().chain(&self.former).find(|certificate| {
            certificate.address().device == device
                && known.certificates.contains(&certificate.hash())
        })
    }

    /// Encodes the account for this viewer's own store; the encoding is never sent.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![StructureType::VerifiedAccount as u8, VERSION];
        out.extend_from_slice(self.root.as_bytes());
        length_prefix(&mut out, &self.manifest.to_bytes());
        for list in [&self.devices, &self.former] {
            out.extend_from_slice(&count(list.len()));
            for certificate in list {
                out.extend_from_slice(&certificate.to_bytes());
            }
        }
        out.extend_from_slice(&count(self.known.len()));
        for known in &self.known {
            out.extend_from_slice(&known.generation.to_be_bytes());
            out.extend_from_slice(&known.epoch.to_be_bytes());
            out.extend_from_slice(&known.hash.0);
            out.extend_from_slice(&known.superseded.to_be_bytes());
            out.extend_from_slice(&count(known.certificates.len()));
            for hash in &known.certificates {
                out.extend_from_slice(&hash.0);
            }
        }
        out
    }

    /// Decodes an account that this viewer verified and stored. Signatures are not checked again.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AccountBytesError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(StructureType::VerifiedAccount as u8, VERSION)?;
        let root = RootPublicKey::from_bytes(reader.slice(RootPublicKey::LENGTH)?)?;
        let manifest = Manifest::from_bytes(reader.length_prefixed()?)?;
        let devices = read_certificates(&mut reader)?;
        let former = read_certificates(&mut reader)?;
        let mut known = Vec::new();
        for _ in 0..reader.u16()? {
            known.push(KnownManifest {
                generation: reader.u32()?,
                epoch: reader.u64()?,
                hash: ManifestHash(reader.array()?),
                superseded: reader.u64()?,
                certificates: read_hashes(&mut reader)?,
            });
        }
        reader.finish()?;
        let listed = devices.iter().map(DeviceCertificate::hash);
        let in_order = known.split_last().is_some_and(|(last, before)| {
            *last == KnownManifest::current(&manifest) && before.iter().all(|k| k.superseded != 0)
        });
        let consistent = listed.eq(manifest.statement().certificates.iter().copied())
            && in_order
            && manifest.statement().account == root.fingerprint(manifest.statement().user);
        if !consistent {
            return Err(AccountBytesError::Inconsistent);
        }
        Ok(Self { root, manifest, devices, former, known })
    }
}

/// Lists are bounded far below 65,536: 10 devices, 256 manifests, 2,560 former devices.
fn count(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes()
}

fn read_certificates(reader: &mut Reader<'_>) -> Result<Vec<DeviceCertificate>, DecodeError> {
    (0..reader.u16()?)
        .map(|_| DeviceCertificate::from_bytes(reader.slice(DeviceCertificate::LENGTH)?))
        .collect()
}

fn read_hashes(reader: &mut Reader<'_>) -> Result<Vec<CertificateHash>, DecodeError> {
    (0..reader.u16()?).map(|_| Ok(CertificateHash(reader.array()?))).collect()
}
