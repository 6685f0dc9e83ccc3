//! AES-256-GCM, for bodies that are sealed once under a key that serves nothing else.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use zeroize::Zeroizing;

/// Encrypts `body`. The caller never gives the same key and nonce twice.
pub(crate) fn seal(
    key: &[u8; 32],
    nonce: [u8; 12],
    associated_data: &[u8],
    body: &[u8],
) -> Vec<u8> {
    let payload = Payload { msg: body, aad: associated_data };
    Aes256Gcm::new(key.into())
        .encrypt(&Nonce::from(nonce), payload)
        .expect("a body is far shorter than GCM's limit")
}

/// Decrypts what [`seal`] made, or tells that it is not that.
pub(crate) fn open(
    key: &[u8; 32],
    nonce: [u8; 12],
    associated_data: &[u8],
    ciphertext: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let payload = Payload { msg: ciphertext, aad: associated_data };
    Aes256Gcm::new(key.into()).decrypt(&Nonce::from(nonce), payload).ok().map(Zeroizing::new)
}
