//! The keys that sign tokens: P-256, derived from the master keys. The newest signs, all verify.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::pkcs8::EncodePrivateKey;
use plasma_kit::secrets::Secrets;
use sha2::{Digest, Sha256};

use super::token::{Claims, ISSUER, Written};

const LABEL: &str = "access-token";
const KEY_ID_BYTES: usize = 6;

/// The ring of token keys, newest first.
pub(super) struct Keys {
    signing: EncodingKey,
    header: Header,
    verifying: Vec<(String, DecodingKey)>,
    validation: Validation,
}

impl Keys {
    pub(super) fn derive(secrets: &Secrets) -> Self {
        let ring: Vec<SecretKey> =
            secrets.derive_all(LABEL).iter().map(|seed| scalar(seed)).collect();
        let newest = ring.first().expect("a ring has a key");
        let der = newest.to_pkcs8_der().expect("a P-256 key has a PKCS#8 form");
        let verifying: Vec<(String, DecodingKey)> = ring.iter().map(public).collect();
        let mut header = Header::new(Algorithm::ES256);
        header.kid = verifying.first().map(|(id, _)| id.clone());
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["iss", "exp"]);
        // Expiry is checked against the clock of `Env`, which follows the database's.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { signing: EncodingKey::from_ec_der(der.as_bytes()), header, verifying, validation }
    }

    pub(super) fn sign(&self, claims: &Claims) -> String {
        jsonwebtoken::encode(&self.header, &claims.write(), &self.signing)
            .expect("a P-256 key signs any claims")
    }

    /// The claims of a token that one of the keys signed; `None` for any other. Whether it has
    /// expired is the caller's to check.
    pub(super) fn verify(&self, token: &str) -> Option<Claims> {
        let named = jsonwebtoken::decode_header(token).ok()?.kid?;
        let (_, key) = self.verifying.iter().find(|(id, _)| *id == named)?;
        let decoded = jsonwebtoken::decode::<Written>(token, key, &self.validation).ok()?;
        Claims::read(&decoded.claims)
    }
}

/// The private key of a seed. A seed of zero or above the group's order, one in 2^32, is hashed on.
fn scalar(seed: &[u8; 32]) -> SecretKey {
    let mut candidate = *seed;
    loop {
        if let Ok(key) = SecretKey::from_slice(&candidate) {
            return key;
        }
        candidate = Sha256::digest(candidate).into();
    }
}

fn public(key: &SecretKey) -> (String, DecodingKey) {
    let point = key.public_key().to_sec1_point(false);
    let digest = Sha256::digest(point.as_bytes());
    let id = URL_SAFE_NO_PAD.encode(&digest[..KEY_ID_BYTES]);
    (id, DecodingKey::from_ec_der(point.as_bytes()))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use plasma_kit::Timestamp;
    use plasma_kit::ids::{DeviceId, TenantId, UserId};
    use plasma_kit::secrets::Secrets;
    use uuid::Uuid;

    use super::super::token::{Claims, Subject};
    use super::Keys;

    fn keys(ring: &[u8]) -> Keys {
        let ring = ring.iter().map(|byte| [*byte; 32]).collect();
        Keys::derive(&Secrets::new(ring).unwrap())
    }

    fn claims(subject: Subject) -> Claims {
        let user = (TenantId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let lifetime = super::super::TOKEN_LIFETIME;
        Claims::new(user, subject, Timestamp(1_234_567_890), lifetime, Uuid::from_u128(4))
    }

    #[test]
    fn a_token_says_what_was_signed() {
        let keys = keys(&[1]);
        for subject in [Subject::Enrollment, Subject::Device(DeviceId(Uuid::from_u128(3)))] {
            let read = keys.verify(&keys.sign(&claims(subject))).unwrap();
            assert_eq!((read.user(), read.subject()), (claims(subject).user(), subject));
            assert_eq!(read.issued_at(), Timestamp(1_234_567_890));
            assert_eq!(read.expires_at(), Timestamp((1_234 + 15 * 60) * 1_000_000));
        }
    }

    #[test]
    fn a_rotated_ring_verifies_what_the_older_key_signed() {
        let token = keys(&[1]).sign(&claims(Subject::Enrollment));
        assert!(keys(&[2, 1]).verify(&token).is_some());
        assert!(keys(&[2]).verify(&token).is_none());
    }

    #[test]
    fn a_token_that_was_changed_in_any_part_is_refused() {
        let keys = keys(&[1]);
        let token = keys.sign(&claims(Subject::Enrollment));
        let parts: Vec<&str> = token.split('.').collect();
        let [header, body, signature] = parts.as_slice() else { panic!("three parts") };
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap();
        let forged = URL_SAFE_NO_PAD.encode(text.replace("\"exp\":", "\"exp\":9"));
        assert!(keys.verify(&format!("{header}.{forged}.{signature}")).is_none());
        let kid = String::from_utf8(URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
        for algorithm in ["none", "HS256", "ES384"] {
            let header = URL_SAFE_NO_PAD.encode(kid.replace("ES256", algorithm));
            assert!(keys.verify(&format!("{header}.{body}.{signature}")).is_none());
            assert!(keys.verify(&format!("{header}.{body}.")).is_none());
        }
        assert!(keys.verify("").is_none());
        assert!(keys.verify("a.b.c").is_none());
        assert!(keys.verify(&token).is_some());
    }
}
