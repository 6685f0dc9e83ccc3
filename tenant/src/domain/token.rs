//! A platform token taken apart, before anything about it is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use plasma_kit::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::json::{self, Object};

/// Most bytes of a token.
const TOKEN_BYTES_MAX: usize = 8 * 1_024;
const SUBJECT_BYTES_MAX: usize = 255;
const TOKEN_ID_BYTES_MAX: usize = 128;
/// The last second of the year 9999.
const SECONDS_MAX: i64 = 253_402_300_799;

/// A compact JWS (RFC 7515) whose header and claims are JSON objects.
#[derive(Debug)]
pub struct Token<'a> {
    /// What the signature covers.
    pub signed: &'a str,
    /// The signature in base64url.
    pub signature: &'a str,
    header: Object,
    claims: Object,
}

/// Why a text is no platform token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// It is longer than any token may be.
    #[error("the token has {0} bytes; at most {TOKEN_BYTES_MAX} are taken")]
    Length(usize),
    /// It has not three parts.
    #[error("the token has {0} parts with dots between them; a compact JWS has 3")]
    Parts(usize),
    /// A part is not base64url.
    #[error("the {0} is not base64url without padding")]
    NotBase64(&'static str),
    /// A part is no JSON object, or names a member twice.
    #[error("the {0} is no JSON object with members that differ: {1}")]
    NotAnObject(&'static str, String),
    /// The header asks for an extension, which must be understood or refused.
    #[error("the header has `crit`, which asks for extensions that are not taken")]
    Critical,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub fn parse(text: &'a str) -> Result<Self, FormatError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(FormatError::Length(text.len()));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(FormatError::Parts(parts.len()));
        };
        decode("signature", signature)?;
        let signed = &text[..header.len() + 1 + claims.len()];
        let header = object("header", header)?;
        if header.contains_key("crit") {
            return Err(FormatError::Critical);
        }
        Ok(Self { signed, signature, header, claims: object("claims", claims)? })
    }

    /// A text of the header. The key is always the one that was registered: `jku`, `jwk`, `x5u` and
    /// `x5c` are never looked at.
    pub fn header(&self, name: &str) -> Result<&str, String> {
        text(&self.header, name)
    }

    /// A text of the claims.
    pub fn claim(&self, name: &str) -> Result<&str, String> {
        text(&self.claims, name)
    }

    /// The audience: a text, or a list of one text.
    pub fn audience(&self) -> Result<&str, String> {
        match self.claims.get("aud") {
            Some(Value::Array(items)) => match &items[..] {
                [Value::String(audience)] => Ok(audience),
                _ => Err("`aud` must be one text, or a list of exactly one".to_owned()),
            },
            _ => self.claim("aud"),
        }
    }

    /// The platform's id of the user: 1 to 255 bytes that `LookupUser` can be asked for.
    pub fn subject(&self) -> Result<&str, String> {
        bounded(self.claim("sub")?, "sub", SUBJECT_BYTES_MAX)
    }

    /// The token's own id: 1 to 128 bytes.
    pub fn token_id(&self) -> Result<&str, String> {
        bounded(self.claim("jti")?, "jti", TOKEN_ID_BYTES_MAX)
    }

    /// A moment in whole seconds since 1970; `None` where the claim is absent.
    pub fn moment_if_any(&self, name: &str) -> Result<Option<Timestamp>, String> {
        let Some(value) = self.claims.get(name) else { return Ok(None) };
        match value.as_i64() {
            Some(seconds) if (0..=SECONDS_MAX).contains(&seconds) => {
                Ok(Some(Timestamp(seconds * 1_000_000)))
            }
            _ => Err(format!("`{name}` must be a whole number of seconds since 1970")),
        }
    }

    /// A moment in whole seconds since 1970.
    pub fn moment(&self, name: &str) -> Result<Timestamp, String> {
        self.moment_if_any(name)?.ok_or_else(|| format!("`{name}` is missing"))
    }
}

/// What a token says of itself, whether true or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// The platform's id of the user.
    pub subject: String,
    /// Names the token among all of the tenant: a hash of its issuer and its `jti`.
    pub token_hash: [u8; 32],
    /// When the token expires.
    pub expire_time: Timestamp,
}

impl Presented {
    /// Reads what the token says of itself; `None` where a part of it is unusable.
    pub fn read(token: &Token<'_>) -> Option<Self> {
        let issuer = token.claim("iss").ok()?;
        let length = u64::try_from(issuer.len()).ok()?;
        let mut hash = Sha256::new();
        hash.update(length.to_be_bytes());
        hash.update(issuer);
        hash.update(token.token_id().ok()?);
        Some(Self {
            subject: token.subject().ok()?.to_owned(),
            token_hash: hash.finalize().into(),
            expire_time: token.moment("exp").ok()?,
        })
    }
}

fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, FormatError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| FormatError::NotBase64(part))
}

fn object(part: &'static str, text: &str) -> Result<Object, FormatError> {
    json::object(&decode(part, text)?).map_err(|error| FormatError::NotAnObject(part, error))
}

fn text<'a>(object: &'a Object, name: &str) -> Result<&'a str, String> {
    match object.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("`{name}` must be a text")),
        None => Err(format!("`{name}` is missing")),
    }
}

fn bounded<'a>(text: &'a str, name: &str, bytes_max: usize) -> Result<&'a str, String> {
    if text.is_empty() || text.len() > bytes_max {
        return Err(format!("`{name}` must have 1 to {bytes_max} bytes, and has {}", text.len()));
    }
    if text.chars().any(is_disallowed) {
        return Err(format!(
            "`{name}` must not contain control or bidirectional-override characters"
        ));
    }
    Ok(text)
}

/// Control characters and what reorders the text around it: `LookupUser` refuses them too.
fn is_disallowed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}
