//! The keys with which a platform signs its user tokens: one of each kind that is accepted.

use anyhow::{Context, Result};
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::Jwk;
use p256::elliptic_curve::Generate;
use p256::pkcs8::EncodePrivateKey;
use serde_json::{Value, json};

use crate::secret;

/// An RSA key takes seconds to make, so every test platform has this one. It guards nothing.
const RSA_KEY: &[u8] = include_bytes!("rsa-2048-for-tests.der");

/// What comes before the 32 bytes of an Ed25519 key in its PKCS #8 form (RFC 8410).
const ED25519_PREFIX: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// A way to sign a user token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// Every way that is accepted.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// The `alg` of a token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    pub(super) fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

/// One key pair.
#[derive(Debug, Clone)]
pub struct SigningKey {
    algorithm: Algorithm,
    key_id: String,
    key: EncodingKey,
}

impl SigningKey {
    /// Makes a key with a fresh `kid`.
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        let key = match algorithm {
            Algorithm::Es256 => {
                let secret = p256::SecretKey::generate();
                let der = secret.to_pkcs8_der().ok().context("write a P-256 key")?;
                EncodingKey::from_ec_der(der.as_bytes())
            }
            Algorithm::EdDsa => {
                let der = [&ED25519_PREFIX[..], &secret::bytes::<32>()].concat();
                EncodingKey::from_ed_der(&der)
            }
            Algorithm::Rs256 => EncodingKey::from_rsa_der(RSA_KEY),
        };
        let key_id = format!("{}-{}", algorithm.name().to_lowercase(), secret::name());
        Ok(Self { algorithm, key_id, key })
    }

    /// How the key signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid`.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public half as a JSON Web Key with `kid`, `alg` and `use`.
    pub fn public_jwk(&self) -> Result<Value> {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm.of_library())?)?;
        let members = jwk.as_object_mut().context("a JWK is an object")?;
        members.insert("kid".to_owned(), json!(self.key_id));
        members.insert("alg".to_owned(), json!(self.algorithm.name()));
        members.insert("use".to_owned(), json!("sig"));
        Ok(jwk)
    }

    /// Signs; the signature in base64url, as a compact JWS has it.
    pub fn sign(&self, message: &[u8]) -> Result<String> {
        jsonwebtoken::crypto::sign(message, &self.key, self.algorithm.of_library())
            .with_context(|| format!("sign with {}", self.algorithm.name()))
    }
}
