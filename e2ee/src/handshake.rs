//! The asynchronous handshake: X3DH's four agreements and one ML-KEM-768 encapsulation.
//!
//! After X3DH and PQXDH (signal.org/docs/specifications), with separate keys for signing and
//! agreement and with the initiator's signature over the transcript.

use plasma_identity::encoding::{labelled, labelled_hash, length_prefix};
use plasma_identity::{
    AgreementPublicKey, CertificateHash, DeviceAddress, DeviceCertificate, ManifestHash,
    PrekeyRole, Signature, Signer,
};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::agreement::AgreementKey;
use crate::bundle::CheckedBundle;
use crate::device_keys::DeviceKeys;
use crate::error::DecryptError;
use crate::header::{Initiation, SUITE, SessionId};
use crate::kdf::{self, EPHEMERAL_LABEL, HANDSHAKE_LABEL, INITIATION_LABEL, SESSION_LABEL};
use crate::prekey::PrivatePrekey;
use crate::secret::Secret;

/// One side of a handshake, as its transcript names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party<'a> {
    pub(crate) certificate: &'a DeviceCertificate,
    pub(crate) manifest: ManifestHash,
}

/// What a handshake agrees on.
#[derive(Debug)]
pub(crate) struct Agreed {
    pub(crate) root: Secret,
    pub(crate) transcript: [u8; 32],
    pub(crate) session_id: SessionId,
}

/// The private halves that an initiation asks for.
pub(crate) struct ResponderKeys<'a> {
    pub(crate) signed: &'a PrivatePrekey,
    pub(crate) kem: &'a PrivatePrekey,
    pub(crate) one_time: Option<&'a PrivatePrekey>,
}

/// Everything that both sides must see alike.
struct Transcript<'a> {
    initiator: Party<'a>,
    responder: Party<'a>,
    initiation: &'a Initiation,
    signed: &'a [u8],
    one_time: Option<&'a [u8]>,
    kem: &'a [u8],
}

impl Transcript<'_> {
    fn hash(&self) -> [u8; 32] {
        let mut input = HANDSHAKE_LABEL.as_bytes().to_vec();
        length_prefix(&mut input, &[SUITE]);
        for party in [self.initiator, self.responder] {
            let DeviceAddress { tenant, user, device } = party.certificate.address();
            let CertificateHash(certificate) = party.certificate.hash();
            for part in [tenant.as_bytes(), user.as_bytes(), device.as_bytes()] {
                length_prefix(&mut input, part);
            }
            length_prefix(&mut input, &certificate);
        }
        let initiation = self.initiation;
        length_prefix(&mut input, initiation.ephemeral.as_bytes());
        length_prefix(&mut input, &initiation.signed_id.to_be_bytes());
        length_prefix(&mut input, self.signed);
        let one_time_id = initiation.one_time_id.map(u32::to_be_bytes);
        length_prefix(&mut input, one_time_id.as_ref().map_or(&[], |id| id.as_slice()));
        length_prefix(&mut input, self.one_time.unwrap_or_default());
        length_prefix(&mut input, &[initiation.kem_role.number()]);
        length_prefix(&mut input, &initiation.kem_id.to_be_bytes());
        length_prefix(&mut input, self.kem);
        length_prefix(&mut input, &initiation.ciphertext);
        length_prefix(&mut input, &self.initiator.manifest.0);
        length_prefix(&mut input, &self.responder.manifest.0);
        Sha256::digest(input).into()
    }

    fn agree(&self, secrets: &[Secret]) -> Agreed {
        let mut input = Zeroizing::new(Vec::with_capacity(32 * secrets.len()));
        for secret in secrets {
            input.extend_from_slice(secret.expose());
        }
        let transcript = self.hash();
        let hash = labelled_hash(SESSION_LABEL, &[&transcript]);
        let mut session_id = SessionId([0; 16]);
        session_id.0.copy_from_slice(&hash[..16]);
        Agreed { root: kdf::handshake_root(&input, &transcript), transcript, session_id }
    }
}

/// Runs the initiator's side against a checked bundle.
pub(crate) fn initiate<R: CryptoRng + ?Sized>(
    keys: &DeviceKeys,
    initiator: Party<'_>,
    responder: Party<'_>,
    bundle: &CheckedBundle<'_>,
    rng: &mut R,
) -> (Agreed, Initiation) {
    let ephemeral = AgreementKey::generate(rng);
    let (ciphertext, shared) = bundle.kem_key.encapsulate(rng);
    let initiation = Initiation {
        ephemeral: *ephemeral.public(),
        signed_id: bundle.signed_id,
        kem_role: bundle.kem.role(),
        kem_id: bundle.kem.id(),
        one_time_id: bundle.one_time.map(|(id, _)| id),
        initiator_manifest: initiator.manifest,
        responder_manifest: responder.manifest,
        ciphertext,
    };
    let mut secrets = vec![
        keys.agree(&bundle.signed),
        ephemeral.agree(responder.certificate.agreement_key()),
        ephemeral.agree(&bundle.signed),
    ];
    secrets.extend(bundle.one_time.iter().map(|(_, key)| ephemeral.agree(key)));
    secrets.push(shared);
    let transcript = Transcript {
        initiator,
        responder,
        initiation: &initiation,
        signed: bundle.signed.as_bytes(),
        one_time: bundle.one_time.as_ref().map(|(_, key)| key.as_bytes().as_slice()),
        kem: bundle.kem.key(),
    };
    let agreed = transcript.agree(&secrets);
    (agreed, initiation)
}

/// Runs the responder's side.
pub(crate) fn respond(
    keys: &DeviceKeys,
    initiator: Party<'_>,
    responder: Party<'_>,
    prekeys: &ResponderKeys<'_>,
    initiation: &Initiation,
) -> Result<Agreed, DecryptError> {
    let signed = prekeys.signed.agreement_key().ok_or(DecryptError::ExpiredKeys)?;
    let mut secrets = vec![
        signed.agree(initiator.certificate.agreement_key()),
        keys.agree(&initiation.ephemeral),
        signed.agree(&initiation.ephemeral),
    ];
    if let Some(one_time) = prekeys.one_time {
        let key = one_time.agreement_key().ok_or(DecryptError::MissingPrekey)?;
        secrets.push(key.agree(&initiation.ephemeral));
    }
    let shared = prekeys.kem.decapsulate(&initiation.ciphertext);
    secrets.push(shared.ok_or(DecryptError::MissingPrekey)?);
    let transcript = Transcript {
        initiator,
        responder,
        initiation,
        signed: prekeys.signed.public().key(),
        one_time: prekeys.one_time.map(|key| key.public().key()),
        kem: prekeys.kem.public().key(),
    };
    Ok(transcript.agree(&secrets))
}

/// Signs a transcript, against a stolen signed prekey being used to impersonate others to its
/// owner.
pub(crate) fn sign(keys: &DeviceKeys, transcript: &[u8; 32]) -> Signature {
    keys.sign(&labelled(INITIATION_LABEL, &[transcript]))
}

/// Checks the initiator's signature of a transcript.
pub(crate) fn verify(
    initiator: &DeviceCertificate,
    transcript: &[u8; 32],
    signature: &[u8; Signature::LENGTH],
) -> Result<(), DecryptError> {
    let signature = Signature::from_bytes(*signature).map_err(|_| DecryptError::BadSignature)?;
    initiator
        .signing_key()
        .verify(&labelled(INITIATION_LABEL, &[transcript]), &signature)
        .map_err(|_| DecryptError::BadSignature)
}

/// Hashes an ephemeral key: the lower one wins when both sides start at once.
pub(crate) fn ephemeral_hash(ephemeral: &AgreementPublicKey) -> [u8; 32] {
    labelled_hash(EPHEMERAL_LABEL, &[ephemeral.as_bytes()])
}

/// Names an initiation that used no one-time key, so that its repetition is recognised.
///
/// Kept until the signed prekey or the last-resort prekey that it names is deleted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ReplayMarker {
    /// Id of the signed EC prekey.
    pub signed_prekey_id: u32,
    /// Id of the last-resort KEM prekey.
    pub kem_prekey_id: u32,
    /// Hash of the ephemeral key.
    pub ephemeral_hash: [u8; 32],
}

impl ReplayMarker {
    pub(crate) fn of(initiation: &Initiation) -> Option<Self> {
        let one_time = initiation.one_time_id.is_some() || initiation.kem_role.is_one_time();
        (!one_time).then(|| Self {
            signed_prekey_id: initiation.signed_id,
            kem_prekey_id: initiation.kem_id,
            ephemeral_hash: ephemeral_hash(&initiation.ephemeral),
        })
    }

    /// Encodes the marker as a key for the caller's store.
    pub fn to_bytes(&self) -> [u8; 40] {
        let mut out = [0; 40];
        out[..4].copy_from_slice(&self.signed_prekey_id.to_be_bytes());
        out[4..8].copy_from_slice(&self.kem_prekey_id.to_be_bytes());
        out[8..].copy_from_slice(&self.ephemeral_hash);
        out
    }
}

/// The prekeys that an initiation asks for.
pub(crate) fn prekeys_of(initiation: &Initiation) -> Vec<(PrekeyRole, u32)> {
    let one_time = initiation.one_time_id.map(|id| (PrekeyRole::OneTimeEc, id));
    let kem = (initiation.kem_role, initiation.kem_id);
    [(PrekeyRole::SignedEc, initiation.signed_id), kem].into_iter().chain(one_time).collect()
}
