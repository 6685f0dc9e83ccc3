//! What cannot be done without, by the libraries that `plasma-e2ee` uses.

use std::hint::black_box;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use anyhow::{Context, Result, ensure};
use getrandom::SysRng;
use hkdf::Hkdf;
use ml_kem::kem::{Decapsulate, Encapsulate};
use ml_kem::ml_kem_768::DecapsulationKey;
use p256::SecretKey;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use p256::elliptic_curve::Generate;
use plasma_e2ee::padded_length;
use plasma_e2ee::rand_core::UnwrapErr;
use sha2::Sha256;

use super::CONTENT_LENGTH;

/// The header and what is bound with it: about as long as ours.
const ASSOCIATED_DATA: [u8; 460] = [5; 460];

/// The receiver's agreement with the sender's new key, a new key of its own, and the agreement
/// with that.
pub(super) fn turn() {
    let mut rng = UnwrapErr(SysRng);
    let key = SecretKey::generate_from_rng(&mut rng);
    let theirs = black_box(key.public_key());
    black_box(key.diffie_hellman(&theirs).raw_secret_bytes());
    black_box(key.diffie_hellman(&theirs).raw_secret_bytes());
}

/// Key, nonce and commitment of one message, and its encryption and decryption.
pub(super) struct Message {
    body: Vec<u8>,
    sealed: Vec<u8>,
}

impl Message {
    pub(super) fn new() -> Result<Self> {
        let body = vec![7; padded_length(CONTENT_LENGTH)];
        let mut message = Self { body, sealed: Vec::new() };
        message.seal()?;
        Ok(message)
    }

    pub(super) fn seal(&mut self) -> Result<()> {
        let (cipher, nonce) = keys();
        let payload = Payload { msg: &self.body, aad: &ASSOCIATED_DATA };
        self.sealed = black_box(cipher.encrypt(&nonce, payload).ok().context("encrypt")?);
        Ok(())
    }

    pub(super) fn open(&self) -> Result<()> {
        let (cipher, nonce) = keys();
        let payload = Payload { msg: &self.sealed, aad: &ASSOCIATED_DATA };
        let opened = cipher.decrypt(&nonce, payload).ok().context("decrypt")?;
        ensure!(opened.len() == self.body.len(), "another text came out");
        Ok(())
    }
}

fn keys() -> (Aes256Gcm, Nonce<aes_gcm::aead::consts::U12>) {
    let mut out = [0; 76];
    let input = black_box([3; 32]);
    Hkdf::<Sha256>::new(Some(&[9; 16]), &input)
        .expand(b"Plasma/v1/message................", &mut out)
        .expect("76 bytes are not too many");
    let (mut key, mut nonce) = ([0; 32], [0; 12]);
    key.copy_from_slice(&out[..32]);
    nonce.copy_from_slice(&out[32..44]);
    (Aes256Gcm::new((&key).into()), Nonce::from(nonce))
}

/// Both sides of a handshake: four signatures checked and one made, ten agreements, two fresh
/// keys, one encapsulation and its opening.
pub(super) struct Handshake {
    signing: SigningKey,
    verifying: VerifyingKey,
    signature: Signature,
    agreement: SecretKey,
    kem: DecapsulationKey,
}

impl Handshake {
    pub(super) fn new() -> Result<Self> {
        let mut rng = UnwrapErr(SysRng);
        let mut seed = [0; 64];
        getrandom::fill(&mut seed).ok().context("random bytes")?;
        let signing = SigningKey::generate_from_rng(&mut rng);
        Ok(Self {
            verifying: *signing.verifying_key(),
            signature: signing.sign(&[1; 200]),
            agreement: SecretKey::generate_from_rng(&mut rng),
            kem: DecapsulationKey::from_seed(seed.into()),
            signing,
        })
    }

    pub(super) fn run(&self) -> Result<()> {
        let mut rng = UnwrapErr(SysRng);
        for _ in 0..4 {
            self.verifying.verify(&[1; 200], &self.signature).context("a signature")?;
        }
        let signature: Signature = self.signing.sign(&[1; 52]);
        black_box(signature);
        let fresh =
            [SecretKey::generate_from_rng(&mut rng), SecretKey::generate_from_rng(&mut rng)];
        let theirs = black_box(fresh[0].public_key());
        for _ in 0..10 {
            black_box(self.agreement.diffie_hellman(&theirs).raw_secret_bytes());
        }
        let (ciphertext, ours) = self.kem.encapsulation_key().encapsulate_with_rng(&mut rng);
        ensure!(self.kem.decapsulate(&ciphertext) == ours, "the KEM gave two secrets");
        Ok(())
    }
}
