//! AES-256-GCM under a committing key derivation.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::DecryptError;
use crate::header::SessionId;
use crate::secret::Secret;
use crate::{aead, kdf};

/// Encrypts a padded body and returns the commitment and the ciphertext with its tag.
pub(crate) fn seal(
    message_key: &Secret,
    salt: &[u8; 16],
    session_id: SessionId,
    associated_data: &[u8],
    body: &[u8],
) -> ([u8; 32], Vec<u8>) {
    let secrets = kdf::message(message_key, salt, &session_id.0);
    let ciphertext = aead::seal(&secrets.key, secrets.nonce, associated_data, body);
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
        aead::open(&secrets.key, secrets.nonce, self.associated_data, self.ciphertext)
            .map(|body| Opened { body, message_key: message_key.clone() })
            .ok_or(DecryptError::BadMac)
    }
}
