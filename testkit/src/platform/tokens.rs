//! User tokens as a partner platform signs them, and spoiled ones.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::keys::{Algorithm, SigningKey};
use crate::secret;

/// How long a token is good for.
const LIFETIME_SECONDS: u64 = 300;

/// What a platform signs tokens with and what it calls itself.
#[derive(Debug, Clone)]
pub struct TokenIssuer {
    issuer: String,
    audience: String,
    keys: Vec<SigningKey>,
}

impl TokenIssuer {
    /// Makes an issuer with a key of each kind.
    pub fn generate(issuer: impl Into<String>, audience: impl Into<String>) -> Result<Self> {
        let keys = Algorithm::ALL.map(SigningKey::generate).into_iter().collect::<Result<_>>()?;
        Ok(Self { issuer: issuer.into(), audience: audience.into(), keys })
    }

    /// The `iss` of the tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `aud` of the tokens.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The key of a kind.
    pub fn key(&self, algorithm: Algorithm) -> &SigningKey {
        let found = self.keys.iter().find(|key| key.algorithm() == algorithm);
        found.expect("an issuer has a key of each kind")
    }

    /// The public keys as a JSON Web Key Set.
    pub fn jwks_json(&self) -> Result<String> {
        let keys = self.keys.iter().map(SigningKey::public_jwk).collect::<Result<Vec<_>>>()?;
        Ok(json!({ "keys": keys }).to_string())
    }

    /// Signs a good token for the platform's user `sub`, with a `jti` of its own.
    pub fn token(&self, algorithm: Algorithm, sub: &str) -> Result<String> {
        self.token_with(algorithm, sub, |_, _| {})
    }

    /// Signs a token after `spoil` has changed its claims and its header. The signature is right
    /// for what is signed, whatever the header says.
    pub fn token_with(
        &self,
        algorithm: Algorithm,
        sub: &str,
        spoil: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>),
    ) -> Result<String> {
        let key = self.key(algorithm);
        let (mut claims, mut header) = (self.claims(sub)?, header(key)?);
        spoil(&mut claims, &mut header);
        let signed = format!("{}.{}", part(&header)?, part(&claims)?);
        let signature = key.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{signature}"))
    }

    fn claims(&self, sub: &str) -> Result<Map<String, Value>> {
        let now = jsonwebtoken::get_current_timestamp();
        object(json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": sub,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": secret::request_id(),
        }))
    }
}

fn header(key: &SigningKey) -> Result<Map<String, Value>> {
    object(json!({ "typ": "JWT", "alg": key.algorithm().name(), "kid": key.key_id() }))
}

fn object(value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(members) => Ok(members),
        other => Err(anyhow::anyhow!("{other} is no object")),
    }
}

fn part(members: &Map<String, Value>) -> Result<String> {
    let text = serde_json::to_vec(members).context("write JSON")?;
    Ok(URL_SAFE_NO_PAD.encode(text))
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
    use serde_json::{Value, json};

    use super::{Algorithm, TokenIssuer};

    fn verify(issuer: &TokenIssuer, algorithm: Algorithm, token: &str) -> Option<Value> {
        let keys: JwkSet = serde_json::from_str(&issuer.jwks_json().unwrap()).unwrap();
        let header = decode_header(token).ok()?;
        let key = DecodingKey::from_jwk(keys.find(&header.kid?)?).unwrap();
        let mut validation = Validation::new(algorithm.of_library());
        validation.set_issuer(&[issuer.issuer()]);
        validation.set_audience(&[issuer.audience()]);
        decode::<Value>(token, &key, &validation).ok().map(|token| token.claims)
    }

    #[test]
    fn tokens_of_each_kind_verify_against_the_published_keys() {
        let issuer = TokenIssuer::generate("https://platform.test", "plasma").unwrap();
        for algorithm in Algorithm::ALL {
            let token = issuer.token(algorithm, "ann").unwrap();
            let claims = verify(&issuer, algorithm, &token).unwrap();
            assert_eq!(claims["sub"], "ann");
            for claim in ["iss", "aud", "exp", "iat", "jti"] {
                assert!(!claims[claim].is_null(), "{claim}");
            }
            let again = issuer.token(algorithm, "ann").unwrap();
            assert_ne!(verify(&issuer, algorithm, &again).unwrap()["jti"], claims["jti"]);
        }
    }

    #[test]
    fn a_spoiled_token_carries_what_it_was_spoiled_with() {
        let issuer = TokenIssuer::generate("https://platform.test", "plasma").unwrap();
        let token = issuer
            .token_with(Algorithm::Es256, "ann", |claims, _| {
                claims.insert("iss".to_owned(), json!("https://other.test"));
            })
            .unwrap();
        assert_eq!(verify(&issuer, Algorithm::Es256, &token), None);
        let token = issuer
            .token_with(Algorithm::EdDsa, "ann", |_, header| {
                header.insert("kid".to_owned(), json!("foreign"));
            })
            .unwrap();
        assert_eq!(decode_header(&token).unwrap().kid.as_deref(), Some("foreign"));
        assert_eq!(verify(&issuer, Algorithm::EdDsa, &token), None);
    }

    #[test]
    fn the_published_keys_hold_no_private_part() {
        let issuer = TokenIssuer::generate("https://platform.test", "plasma").unwrap();
        let keys: Value = serde_json::from_str(&issuer.jwks_json().unwrap()).unwrap();
        for key in keys["keys"].as_array().unwrap() {
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(key.get(private).is_none(), "{private}");
            }
        }
    }
}
