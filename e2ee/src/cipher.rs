//! AES-256-GCM under a committing key derivation.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::DecryptError;
use crate::header::SessionId;
use crate::kdf::{self, MessageSecrets};
use crate::secret::Secret;

/// Encrypts a padded body and returns the commitment and the ciphertext with its tag.
pub(crate) fn seal(
    message_key: &Secret,
    salt: &[u8; 16],
    session_id: SessionId,
    associated_data: &[u8],
    body: &[u8],
) -> ([u8; 32], Vec<u8>) {
    let secrets = kdf::message(message_key, salt, &session_id.0);
    (secrets.commitment, seal_derived(&secrets, associated_data, body))
}

/// Encrypts with the derived key and nonce, tag behind.
pub(crate) fn seal_derived(
    secrets: &MessageSecrets,
    associated_data: &[u8],
    body: &[u8],
) -> Vec<u8> {
    cipher(secrets)
        .encrypt(&Nonce::from(secrets.nonce), Payload { msg: body, aad: associated_data })
        .expect("a body is far shorter than GCM's limit")
}

/// What is to be opened, as it came out of the envelope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sealed<'a> {
    pub(crate) salt: &'a [u8; 16],
    pub(crate) session_id: SessionId,
    pub(crate) associated_data: &'a [u8],
    pub(crate) commitment: &'a [u8; 32],
    pub(crate) ciphertext: &'a [u8],
}

impl Sealed<'_> {
    /// Compares the commitment, then decrypts.
    pub(crate) fn open(&self, message_key: &Secret) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let secrets = kdf::message(message_key, self.salt, &self.session_id.0);
        if !bool::from(secrets.commitment.ct_eq(self.commitment)) {
            return Err(DecryptError::BadCommitment);
        }
        open_derived(&secrets, self.associated_data, self.ciphertext)
    }
}

/// Decrypts with the derived key and nonce.
pub(crate) fn open_derived(
    secrets: &MessageSecrets,
    associated_data: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    cipher(secrets)
        .decrypt(&Nonce::from(secrets.nonce), Payload { msg: ciphertext, aad: associated_data })
        .map(Zeroizing::new)
        .map_err(|_| DecryptError::BadMac)
}

fn cipher(secrets: &MessageSecrets) -> Aes256Gcm {
    Aes256Gcm::new((&*secrets.key).into())
}
