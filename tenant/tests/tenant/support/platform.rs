//! A partner platform: keys of each family, its key set, and the tokens it signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use plasma_kit::Env;
use plasma_kit::ids::TenantId;
use plasma_proto::tenant::v1 as pb;
use serde_json::{Value, json};

use super::Node;

pub const ISSUER: &str = "https://id.clinic.example";
pub const AUDIENCE: &str = "plasma";

/// One key pair with its `kid`.
#[derive(Clone)]
pub struct Signer {
    pub kid: String,
    pub algorithm: Algorithm,
    pub key: EncodingKey,
}

impl Signer {
    /// An EC key on P-256; the seed must be a scalar of the curve, as every byte string below its
    /// order is.
    pub fn es256(kid: &str, seed: u8) -> Self {
        // RFC 5915 inside RFC 5208, without the public half.
        let start = [
            0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d,
            0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27,
            0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
        ];
        let der = [&start[..], &[seed; 32]].concat();
        Self {
            kid: kid.to_owned(),
            algorithm: Algorithm::ES256,
            key: EncodingKey::from_ec_der(&der),
        }
    }

    /// An Ed25519 key.
    pub fn eddsa(kid: &str, seed: u8) -> Self {
        // RFC 8410.
        let start = [
            0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22,
            0x04, 0x20,
        ];
        let der = [&start[..], &[seed; 32]].concat();
        Self {
            kid: kid.to_owned(),
            algorithm: Algorithm::EdDSA,
            key: EncodingKey::from_ed_der(&der),
        }
    }

    /// The RSA key beside this file, which is for nothing but these tests.
    pub fn rs256(kid: &str) -> Self {
        let pem = include_bytes!("rsa_2048.test-key.pem");
        let key = EncodingKey::from_rsa_pem(pem).expect("the test key reads");
        Self { kid: kid.to_owned(), algorithm: Algorithm::RS256, key }
    }

    /// One key of each family.
    pub fn each_family() -> [Self; 3] {
        [Self::es256("ec-1", 3), Self::eddsa("ed-1", 4), Self::rs256("rsa-1")]
    }

    /// The public half as a JSON Web Key.
    pub fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a public half");
        let mut jwk = serde_json::to_value(jwk).expect("JSON");
        jwk["kid"] = self.kid.clone().into();
        jwk
    }

    /// The header that its tokens carry.
    pub fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": format!("{:?}", self.algorithm), "kid": self.kid})
    }

    /// Signs claims under the usual header.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_text(&self.header().to_string(), &claims.to_string())
    }

    /// Signs any header and claims, well-formed or not.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = signed_part(header, claims);
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, self.algorithm);
        format!("{signed}.{}", signature.expect("a signature"))
    }
}

/// The part of a token that is signed.
pub fn signed_part(header: &str, claims: &str) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

/// The set of the public halves.
pub fn jwks(signers: &[Signer]) -> String {
    json!({"keys": signers.iter().map(Signer::jwk).collect::<Vec<_>>()}).to_string()
}

/// Good claims with a `jti` of their own.
pub fn claims(env: &Env, subject: &str) -> Value {
    let now = env.now().seconds();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject,
        "iat": now, "exp": now + 300, "jti": env.uuid().to_string(),
    })
}

/// The claims with one of them changed.
pub fn with(mut claims: Value, name: &str, value: impl Into<Value>) -> Value {
    claims[name] = value.into();
    claims
}

/// The claims without one of them.
pub fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

impl Node {
    pub fn new_provider(
        &self,
        tenant: TenantId,
        signers: &[Signer],
    ) -> pb::CreateIdentityProviderRequest {
        pb::CreateIdentityProviderRequest {
            request_id: self.request_id(),
            tenant_id: tenant.to_string(),
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            jwks_json: jwks(signers),
        }
    }

    /// Creates a tenant whose identity provider has the keys.
    pub async fn platform(&self, signers: &[Signer]) -> TenantId {
        let tenant = self.tenant().await;
        let request = self.new_provider(tenant, signers);
        self.key_of(tenant).providers.create_identity_provider(request).await.expect("a provider");
        tenant
    }

    /// Has a token explained.
    pub async fn explain(&self, tenant: TenantId, token: &str) -> pb::ValidateTokenResponse {
        let request =
            pb::ValidateTokenRequest { tenant_id: tenant.to_string(), token: token.to_owned() };
        self.key_of(tenant).providers.validate_token(request).await.expect("checks").into_inner()
    }
}

/// The parts that did not pass.
pub fn failed(response: &pb::ValidateTokenResponse) -> Vec<&str> {
    let failed = response.checks.iter().filter(|check| !check.passed);
    failed.map(|check| check.part.as_str()).collect()
}
