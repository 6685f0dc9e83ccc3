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
    let payload = Payload { msg: body, aad: associated_data };
    let ciphertext = cipher(&secrets)
        .encrypt(&Nonce::from(secrets.nonce), payload)
        .expect("a body is far shorter than GCM's limit");
    (secrets.commitment, ciphertext)
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

/// What was opened, and the key that did it, so that the message can be disclosed later.
pub(crate) struct Opened {
    pub(crate) body: Zeroizing<Vec<u8>>,
    pub(crate) message_key: Secret,
}

impl Sealed<'_> {
    /// Compares the commitment, then decrypts.
    pub(crate) fn open(&self, message_key: &Secret) -> Result<Opened, DecryptError> {
        let secrets = kdf::message(message_key, self.salt, &self.session_id.0);
        if !bool::from(secrets.commitment.ct_eq(self.commitment)) {
            return Err(DecryptError::BadCommitment);
        }
        let payload = Payload { msg: self.ciphertext, aad: self.associated_data };
        cipher(&secrets)
            .decrypt(&Nonce::from(secrets.nonce), payload)
            .map(|body| Opened { body: Zeroizing::new(body), message_key: message_key.clone() })
            .map_err(|_| DecryptError::BadMac)
    }
}

fn cipher(secrets: &MessageSecrets) -> Aes256Gcm {
    Aes256Gcm::new((&*secrets.key).into())
}
