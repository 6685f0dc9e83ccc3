//! The primitives under `docs/PROTOCOL.md`, section 1, without a line of the implementation.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use ml_kem::kem::{Decapsulate, Encapsulate, KeyExport};
use ml_kem::ml_kem_768::{DecapsulationKey, EncapsulationKey};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, SecretKey};
use sha2::{Digest, Sha256};

use crate::random::Randomness;

/// `LP(part)`.
pub fn lp(part: &[u8]) -> Vec<u8> {
    let length = u32::try_from(part.len()).expect("a short part");
    [&length.to_be_bytes(), part].concat()
}

/// `Input(label, parts…)`.
pub fn input(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let parts: Vec<u8> = parts.iter().flat_map(|part| lp(part)).collect();
    [label.as_bytes(), &parts].concat()
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// `Hash(label, parts…)`.
pub fn hash(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    sha256(&input(label, parts))
}

/// `HKDF(salt, key, label ‖ context, length)`.
pub fn hkdf(salt: &[u8], key: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    let info = [label.as_bytes(), context].concat();
    Hkdf::<Sha256>::new(Some(salt), key).expand(&info, &mut out).expect("a short output");
    out
}

/// `HMAC(key, byte)`.
pub fn hmac(key: &[u8], byte: u8) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.chain_update([byte]).finalize().into_bytes().to_vec()
}

/// `DH(private, public)`.
pub fn dh(private: &[u8], public: &[u8]) -> Vec<u8> {
    let public = PublicKey::from_sec1_bytes(public).expect("a point");
    let shared = SecretKey::from_slice(private).expect("a private key").diffie_hellman(&public);
    shared.raw_secret_bytes().to_vec()
}

/// The point of a private key.
pub fn point(private: &[u8]) -> Vec<u8> {
    let key = SecretKey::from_slice(private).expect("a private key").public_key();
    key.to_sec1_point(false).as_bytes().to_vec()
}

/// Checks a signature of `Input(label, parts…)`.
pub fn verify(key: &[u8], label: &str, parts: &[&[u8]], signature: &[u8]) {
    let signature = Signature::from_slice(signature).expect("a signature");
    let key = VerifyingKey::from_sec1_bytes(key).expect("a point");
    key.verify(&input(label, parts), &signature).expect("a signature that verifies");
}

/// AES-256-GCM, tag behind.
pub fn seal(key: &[u8], nonce: &[u8], associated_data: &[u8], body: &[u8]) -> Vec<u8> {
    let nonce: [u8; 12] = nonce.try_into().expect("a nonce of 12 bytes");
    let cipher = Aes256Gcm::new_from_slice(key).expect("a key of 32 bytes");
    let payload = Payload { msg: body, aad: associated_data };
    cipher.encrypt(&nonce.into(), payload).expect("a short body")
}

/// The ML-KEM-768 encapsulation key of a seed.
pub fn kem_key(seed: &[u8]) -> Vec<u8> {
    let seed: [u8; 64] = seed.try_into().expect("a seed of 64 bytes");
    DecapsulationKey::from_seed(seed.into()).encapsulation_key().to_bytes().to_vec()
}

/// Encapsulates with the message `m` of FIPS 203: the ciphertext and the shared secret.
pub fn encapsulate(key: &[u8], message: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let key = key.try_into().expect("a key of 1,184 bytes");
    let key = EncapsulationKey::new(key).expect("a key below the modulus");
    let (ciphertext, shared) = key.encapsulate_with_rng(&mut Randomness::given(&[message]));
    (ciphertext.to_vec(), shared.to_vec())
}

/// What a seed makes of a ciphertext that nobody has made: ML-KEM's implicit rejection, which is
/// all that the second half of a seed is for. The ciphertext is 1,088 zeros.
pub fn rejected(seed: &[u8]) -> Vec<u8> {
    decapsulate(seed, &[0; 1088])
}

/// Pads as section 7 does.
pub fn pad(content: &[u8]) -> Vec<u8> {
    let length = content.len() + 1;
    let step = match length {
        0..=1024 => 128,
        1025..=8192 => 512,
        _ => 4096,
    };
    let mut out = [content, &[0x80]].concat();
    out.resize(length.next_multiple_of(step), 0);
    out
}

/// Decapsulates with a seed.
pub fn decapsulate(seed: &[u8], ciphertext: &[u8]) -> Vec<u8> {
    let seed: [u8; 64] = seed.try_into().expect("a seed of 64 bytes");
    let key = DecapsulationKey::from_seed(seed.into());
    key.decapsulate_slice(ciphertext).expect("a ciphertext of 1,088 bytes").to_vec()
}
