//! API keys: the secret that is shown once, and what is kept of it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plasma_kit::Timestamp;
use plasma_kit::ids::ApiKeyId;
use sha2::{Digest, Sha256};

/// How every secret begins.
const SECRET_START: &str = "sk_live_";
const SECRET_BYTES: usize = 32;
/// `sk_live_` and 32 bytes as base64url without padding.
const SECRET_LENGTH: usize = SECRET_START.len() + 43;
/// How much of a secret stays visible, to recognise it by.
const PREFIX_LENGTH: usize = 12;

/// Most active keys of a tenant.
pub const ACTIVE_KEYS_MAX: u64 = 100;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scopes {
    /// Configure the tenant.
    pub admin: bool,
    /// Act as the platform's back-end.
    pub backend: bool,
}

const ADMIN_BIT: i16 = 1;
const BACKEND_BIT: i16 = 2;

impl Scopes {
    /// The bits under which the scopes are stored.
    pub fn to_row(self) -> i16 {
        let bit = |set: bool, bit: i16| if set { bit } else { 0 };
        bit(self.admin, ADMIN_BIT) | bit(self.backend, BACKEND_BIT)
    }

    /// Reads stored scopes; a bit that a newer version wrote is left out.
    pub fn from_row(bits: i16) -> Self {
        Self { admin: bits & ADMIN_BIT != 0, backend: bits & BACKEND_BIT != 0 }
    }
}

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The id.
    pub id: ApiKeyId,
    /// The first characters of the secret.
    pub secret_prefix: String,
    /// A name for people.
    pub label: String,
    /// What the key may do.
    pub scopes: Scopes,
    /// When the key was created.
    pub create_time: Timestamp,
    /// When the key was revoked; `None` while it is active.
    pub revoke_time: Option<Timestamp>,
}

impl ApiKey {
    /// The key revoked at `now`; `None` where it is revoked already.
    pub fn revoked(&self, now: Timestamp) -> Option<Self> {
        self.revoke_time.is_none().then(|| Self { revoke_time: Some(now), ..self.clone() })
    }
}

/// A secret: 256 random bits, so that a plain hash of it is as good as a slow one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The SHA-256 of a secret: what is stored and looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({}…)", self.prefix())
    }
}

impl Secret {
    /// Makes a secret of random bytes.
    pub fn new(random: [u8; SECRET_BYTES]) -> Self {
        Self(format!("{SECRET_START}{}", URL_SAFE_NO_PAD.encode(random)))
    }

    /// Takes what a caller presents; `None` where no key ever looked like it.
    pub fn presented(text: &str) -> Option<Self> {
        let random = text.strip_prefix(SECRET_START)?;
        let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (text.len() == SECRET_LENGTH && random.bytes().all(alphabet)).then(|| Self(text.to_owned()))
    }

    /// What is stored of the secret.
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(&self.0).into())
    }

    /// The first characters, to recognise the secret by.
    pub fn prefix(&self) -> &str {
        &self.0[..PREFIX_LENGTH]
    }

    /// The secret, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Scopes, Secret};

    #[test]
    fn a_secret_is_recognised_and_shows_only_its_prefix() {
        let secret = Secret::new([0xfb; 32]);
        assert_eq!(Secret::presented(secret.reveal()), Some(secret.clone()));
        assert_eq!(secret.prefix(), "sk_live_-_v7");
        assert_eq!(format!("{secret:?}"), "Secret(sk_live_-_v7…)");
        assert_ne!(secret.hash(), Secret::new([0xfa; 32]).hash());
    }

    #[test]
    fn what_never_was_a_secret_is_refused_without_a_look() {
        let secret = Secret::new([7; 32]);
        let text = secret.reveal();
        let wrong = [
            String::new(),
            "sk_live_".to_owned(),
            text.replace("live", "test"),
            text[..text.len() - 1].to_owned(),
            format!("{text}A"),
            format!("{}é", &text[..text.len() - 2]),
            format!("{}=", &text[..text.len() - 1]),
        ];
        for text in wrong {
            assert_eq!(Secret::presented(&text), None, "{text}");
        }
    }

    #[test]
    fn scopes_read_back_as_they_were_written() {
        for (admin, backend) in [(false, false), (true, false), (false, true), (true, true)] {
            let scopes = Scopes { admin, backend };
            assert_eq!(Scopes::from_row(scopes.to_row()), scopes);
        }
    }
}
