//! Key derivation: every label of sessions, and nothing but HKDF and HMAC.
//!
//! HKDF is used only as the combined extract-and-expand that `WebCrypto` offers.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::Secret;

pub(crate) const HANDSHAKE_LABEL: &str = "Plasma/v1/handshake";
pub(crate) const INITIATION_LABEL: &str = "Plasma/v1/initiation";
pub(crate) const SESSION_LABEL: &str = "Plasma/v1/session-id";
pub(crate) const EPHEMERAL_LABEL: &str = "Plasma/v1/ephemeral-hash";
pub(crate) const ASSOCIATED_DATA_LABEL: &str = "Plasma/v1/associated-data";
pub(crate) const PQ_STEP_LABEL: &str = "Plasma/v1/pq-step";
const ROOT_LABEL: &str = "Plasma/v1/root";
const RATCHET_LABEL: &str = "Plasma/v1/ratchet";
const PQ_RATCHET_LABEL: &str = "Plasma/v1/pq-ratchet";
const MESSAGE_LABEL: &str = "Plasma/v1/message";

/// Derives `N` bytes: HKDF-SHA-256 with `info = label ‖ context`.
pub(crate) fn derive<const N: usize>(
    salt: &[u8],
    input: &[u8],
    label: &str,
    context: &[u8],
) -> Zeroizing<[u8; N]> {
    let mut out = Zeroizing::new([0; N]);
    Hkdf::<Sha256>::new(Some(salt), input)
        .expand_multi_info(&[label.as_bytes(), context], out.as_mut_slice())
        .expect("HKDF-SHA-256 yields up to 8,160 bytes");
    out
}

fn halves(bytes: &[u8; 64]) -> (Secret, Secret) {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    first.copy_from_slice(&bytes[..32]);
    second.copy_from_slice(&bytes[32..]);
    (Secret::new(first), Secret::new(second))
}

/// The root of a session, from the handshake's agreements and its transcript hash.
pub(crate) fn handshake_root(agreements: &[u8], transcript: &[u8; 32]) -> Secret {
    Secret::new(*derive::<32>(&[0; 32], agreements, ROOT_LABEL, transcript))
}

/// One turn of the ratchet: the next root and a chain key.
pub(crate) fn turn(root: &Secret, agreement: &Secret, session_id: &[u8; 16]) -> (Secret, Secret) {
    let out = derive::<64>(root.expose(), agreement.expose(), RATCHET_LABEL, session_id);
    halves(&out)
}

/// What a turn with a post-quantum step mixes in.
#[derive(Debug)]
pub(crate) struct PqSecret {
    /// ML-KEM's shared secret.
    pub(crate) shared: Secret,
    /// Hash of the key and the ciphertext.
    pub(crate) step: [u8; 32],
}

/// One turn of the ratchet with a post-quantum step.
pub(crate) fn pq_turn(
    root: &Secret,
    agreement: &Secret,
    pq: &PqSecret,
    session_id: &[u8; 16],
) -> (Secret, Secret) {
    let mut input = Zeroizing::new([0; 64]);
    input[..32].copy_from_slice(agreement.expose());
    input[32..].copy_from_slice(pq.shared.expose());
    let mut context = [0; 48];
    context[..16].copy_from_slice(session_id);
    context[16..].copy_from_slice(&pq.step);
    let out = derive::<64>(root.expose(), &input[..], PQ_RATCHET_LABEL, &context);
    halves(&out)
}

/// One step of a chain: the message key and the next chain key.
pub(crate) fn step(chain: &Secret) -> (Secret, Secret) {
    (hmac(chain.expose(), &[1]), hmac(chain.expose(), &[2]))
}

/// Computes HMAC-SHA-256.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> Secret {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key length");
    Secret::new(mac.chain_update(message).finalize().into_bytes().into())
}

/// What encrypts one message.
pub(crate) struct MessageSecrets {
    pub(crate) key: Zeroizing<[u8; 32]>,
    pub(crate) nonce: [u8; 12],
    pub(crate) commitment: [u8; 32],
}

/// Derives key, nonce and commitment of a message from its key and the salt in its header.
pub(crate) fn message(key: &Secret, salt: &[u8; 16], session_id: &[u8; 16]) -> MessageSecrets {
    let out = derive::<76>(salt, key.expose(), MESSAGE_LABEL, session_id);
    let mut secrets =
        MessageSecrets { key: Zeroizing::new([0; 32]), nonce: [0; 12], commitment: [0; 32] };
    secrets.key.copy_from_slice(&out[..32]);
    secrets.nonce.copy_from_slice(&out[32..44]);
    secrets.commitment.copy_from_slice(&out[44..]);
    secrets
}
