//! One public key of a platform: which families are taken, and that the key is usable.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm as JwtAlgorithm, DecodingKey};
use serde_json::{Value, json};

use super::json::Object;

/// Most bytes of a `kid`.
const KEY_ID_BYTES_MAX: usize = 128;
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=4_096;
/// Members of a JSON Web Key (RFC 7518, section 6) that only a private or symmetric key has.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The signature algorithms of platform tokens, one for each family of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// `EdDSA` over Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// The name that a token's `alg` carries.
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    fn for_library(self) -> JwtAlgorithm {
        match self {
            Self::Es256 => JwtAlgorithm::ES256,
            Self::EdDsa => JwtAlgorithm::EdDSA,
            Self::Rs256 => JwtAlgorithm::RS256,
        }
    }
}

/// Why a key is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no JSON object.
    #[error("must be a JSON object")]
    NotAnObject,
    /// It has a member that must stay with the platform.
    #[error("must be public, and has the private member `{0}`")]
    Private(&'static str),
    /// A member is absent or no text.
    #[error("must have the text member `{0}`")]
    Missing(&'static str),
    /// The `kid` is empty, too long or has control characters.
    #[error("must have a `kid` of 1 to 128 bytes without control characters")]
    KeyId,
    /// The family is not one of the three.
    #[error("must be EC with crv P-256, OKP with crv Ed25519, or RSA")]
    Family,
    /// `use` is another than `sig`.
    #[error("must have `use` \"sig\" where it has `use`")]
    Use,
    /// `key_ops` is another than `["verify"]`.
    #[error("must have `key_ops` [\"verify\"] where it has `key_ops`")]
    Operations,
    /// `alg` is another than the family's.
    #[error("must have `alg` \"{}\" where it has `alg`", .0.name())]
    WrongAlgorithm(Algorithm),
    /// A member is not base64url.
    #[error("must have `{0}` in base64url without padding")]
    NotBase64(&'static str),
    /// A coordinate has another length than 32 bytes.
    #[error("must have `{0}` of exactly 32 bytes")]
    CoordinateLength(&'static str),
    /// The point is not on its curve, or of small order.
    #[error("must be a point on its curve that signatures can be checked with")]
    Point,
    /// The RSA modulus is too short, too long or even.
    #[error("must have an odd `n` of 2048 to 4096 bits")]
    Modulus,
    /// The RSA exponent is out of range or even.
    #[error("must have an odd `e` from 3 to 4294967295")]
    Exponent,
}

/// A checked public key.
#[derive(Debug, Clone)]
pub struct PublicKey {
    id: String,
    algorithm: Algorithm,
    /// The public members in their normal form, as they are stored.
    members: Object,
    key: DecodingKey,
}

impl PublicKey {
    /// Reads a JSON Web Key.
    pub fn parse(value: &Value) -> Result<Self, KeyError> {
        let jwk = value.as_object().ok_or(KeyError::NotAnObject)?;
        if let Some(private) = PRIVATE_MEMBERS.iter().find(|name| jwk.contains_key(**name)) {
            return Err(KeyError::Private(private));
        }
        let id = text(jwk, "kid")?;
        if id.is_empty() || id.len() > KEY_ID_BYTES_MAX || id.chars().any(char::is_control) {
            return Err(KeyError::KeyId);
        }
        let algorithm = family(jwk)?;
        check_purpose(jwk, algorithm)?;
        let (public, key) = match algorithm {
            Algorithm::Es256 => elliptic(jwk)?,
            Algorithm::EdDsa => edwards(jwk)?,
            Algorithm::Rs256 => rsa(jwk)?,
        };
        // The library reads the key when it first checks with it: an error here is a bad point.
        verify(&key, algorithm, b"", "").ok_or(KeyError::Point)?;
        let members = stored(id, public);
        Ok(Self { id: id.to_owned(), algorithm, members, key })
    }

    /// The `kid`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The one algorithm that the key is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key as a JSON Web Key with nothing but what is needed.
    pub fn to_json(&self) -> Value {
        Value::Object(self.members.clone())
    }

    /// Whether `signature`, in base64url, is this key's over `message`. Always under the key's own
    /// algorithm, whatever a token claims.
    pub fn verifies(&self, message: &[u8], signature: &str) -> bool {
        verify(&self.key, self.algorithm, message, signature) == Some(true)
    }
}

/// Checks a signature; `None` where the key, or the signature's encoding, is unusable.
fn verify(
    key: &DecodingKey,
    algorithm: Algorithm,
    message: &[u8],
    signature: &str,
) -> Option<bool> {
    jsonwebtoken::crypto::verify(signature, message, key, algorithm.for_library()).ok()
}

fn stored(id: &str, public: Value) -> Object {
    let mut members = Object::new();
    members.insert("kid".to_owned(), id.into());
    if let Value::Object(public) = public {
        members.extend(public);
    }
    members
}

fn family(jwk: &Object) -> Result<Algorithm, KeyError> {
    let curve = jwk.get("crv").and_then(Value::as_str);
    match (text(jwk, "kty")?, curve) {
        ("EC", Some("P-256")) => Ok(Algorithm::Es256),
        ("OKP", Some("Ed25519")) => Ok(Algorithm::EdDsa),
        ("RSA", None) => Ok(Algorithm::Rs256),
        _ => Err(KeyError::Family),
    }
}

fn check_purpose(jwk: &Object, algorithm: Algorithm) -> Result<(), KeyError> {
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err(KeyError::Use);
    }
    if jwk.get("key_ops").is_some_and(|operations| *operations != json!(["verify"])) {
        return Err(KeyError::Operations);
    }
    if jwk.get("alg").is_some_and(|named| named != algorithm.name()) {
        return Err(KeyError::WrongAlgorithm(algorithm));
    }
    Ok(())
}

fn elliptic(jwk: &Object) -> Result<(Value, DecodingKey), KeyError> {
    let (x, y) = (coordinate(jwk, "x")?, coordinate(jwk, "y")?);
    let key = DecodingKey::from_ec_components(&x, &y).map_err(|_| KeyError::Point)?;
    Ok((json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}), key))
}

fn edwards(jwk: &Object) -> Result<(Value, DecodingKey), KeyError> {
    let x = coordinate(jwk, "x")?;
    let bytes = bytes(jwk, "x")?.try_into().map_err(|_| KeyError::CoordinateLength("x"))?;
    let point = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Point)?;
    // A point of small order verifies signatures that nobody made.
    if point.is_weak() {
        return Err(KeyError::Point);
    }
    let key = DecodingKey::from_ed_components(&x).map_err(|_| KeyError::Point)?;
    Ok((json!({"kty": "OKP", "crv": "Ed25519", "x": x}), key))
}

fn rsa(jwk: &Object) -> Result<(Value, DecodingKey), KeyError> {
    let modulus = without_leading_zeros(bytes(jwk, "n")?);
    let first_bits = modulus.first().map_or(0, |first| 8 - first.leading_zeros() as usize);
    let bits = modulus.len().saturating_sub(1) * 8 + first_bits;
    if !RSA_BITS.contains(&bits) || modulus.last().is_none_or(|last| last % 2 == 0) {
        return Err(KeyError::Modulus);
    }
    let exponent = without_leading_zeros(bytes(jwk, "e")?);
    if exponent.len() > 4 || exponent.last().is_none_or(|last| last % 2 == 0) || exponent == [1] {
        return Err(KeyError::Exponent);
    }
    let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
    let (n, e) = (URL_SAFE_NO_PAD.encode(&modulus), URL_SAFE_NO_PAD.encode(&exponent));
    Ok((json!({"kty": "RSA", "n": n, "e": e}), key))
}

fn text<'a>(jwk: &'a Object, name: &'static str) -> Result<&'a str, KeyError> {
    jwk.get(name).and_then(Value::as_str).ok_or(KeyError::Missing(name))
}

fn bytes(jwk: &Object, name: &'static str) -> Result<Vec<u8>, KeyError> {
    URL_SAFE_NO_PAD.decode(text(jwk, name)?).map_err(|_| KeyError::NotBase64(name))
}

/// A coordinate of 32 bytes, still in base64url, which has one spelling only.
fn coordinate(jwk: &Object, name: &'static str) -> Result<String, KeyError> {
    let bytes = bytes(jwk, name)?;
    if bytes.len() != 32 {
        return Err(KeyError::CoordinateLength(name));
    }
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Some libraries write a sign byte before a number.
fn without_leading_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}
