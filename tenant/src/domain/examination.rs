//! Whether a platform token is acceptable, part by part. One function decides for everyone: what
//! `ValidateToken` explains is what a device's token exchange goes by.

use std::time::Duration;

use plasma_kit::Timestamp;

use super::identity_provider::IdentityProvider;
use super::public_key::{Algorithm, PublicKey};
use super::token::{Presented, Token};

/// Longest time from `iat` to `exp`.
const LIFETIME_MAX: Duration = Duration::from_mins(10);
/// How far a platform's clock may be off.
pub const LEEWAY: Duration = Duration::from_mins(1);
/// Most characters of a token's text that an explanation repeats.
const QUOTE_MAX: usize = 100;

/// A part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The compact JWS itself.
    Format,
    /// The algorithm.
    Alg,
    /// The key.
    Kid,
    /// The signature.
    Signature,
    /// The issuer.
    Iss,
    /// The audience.
    Aud,
    /// The user.
    Sub,
    /// When it was issued, and `nbf` where there is one.
    Iat,
    /// When it expires.
    Exp,
    /// From `iat` to `exp`.
    Lifetime,
    /// The token's own id.
    Jti,
}

impl Part {
    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Alg => "alg",
            Self::Kid => "kid",
            Self::Signature => "signature",
            Self::Iss => "iss",
            Self::Aud => "aud",
            Self::Sub => "sub",
            Self::Iat => "iat",
            Self::Exp => "exp",
            Self::Lifetime => "lifetime",
            Self::Jti => "jti",
        }
    }
}

/// What is found about one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The part.
    pub part: Part,
    /// Whether it is acceptable.
    pub passed: bool,
    /// What was found and what was expected, for a person.
    pub explanation: String,
}

/// What is found about a token.
#[derive(Debug)]
pub struct Examination {
    checks: Vec<Check>,
    presented: Option<Presented>,
}

/// A token that passed every check of [`examine`]: what it takes to be let in.
#[derive(Debug)]
pub struct Voucher(Presented);

impl Voucher {
    /// What the token vouches for.
    pub fn presented(&self) -> &Presented {
        &self.0
    }
}

impl Examination {
    /// Every part that was looked at, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether every part is acceptable.
    pub fn passed(&self) -> bool {
        self.presented.is_some() && self.checks.iter().all(|check| check.passed)
    }

    /// What the token says of itself, whether it passed or not.
    pub fn presented(&self) -> Option<&Presented> {
        self.presented.as_ref()
    }

    /// Records against a part what only the service's own records show.
    pub fn object(&mut self, part: Part, explanation: &str) {
        for check in self.checks.iter_mut().filter(|check| check.part == part && check.passed) {
            check.passed = false;
            explanation.clone_into(&mut check.explanation);
        }
    }

    /// The voucher; `None` where a part is not acceptable.
    pub fn into_voucher(self) -> Option<Voucher> {
        if !self.passed() {
            return None;
        }
        self.presented.map(Voucher)
    }
}

/// Examines a token against a tenant's identity providers.
pub fn examine(text: &str, providers: &[IdentityProvider], now: Timestamp) -> Examination {
    let token = match Token::parse(text) {
        Ok(token) => token,
        Err(error) => {
            let check = check(Part::Format, Err(error.to_string()));
            return Examination { checks: vec![check], presented: None };
        }
    };
    let provider = provider(&token, providers);
    let key = provider.ok_or_else(|| "no identity provider is found for the token".to_owned());
    let key = key.and_then(|provider| find_key(&token, provider));
    let checks = vec![
        check(Part::Format, Ok("the token is a compact JWS with JSON objects".to_owned())),
        check(Part::Alg, algorithm(&token, key.as_ref().ok().copied())),
        check(
            Part::Kid,
            key.clone().map(|key| format!("the key {} is registered", quote(key.id()))),
        ),
        check(Part::Signature, signature(&token, key.ok())),
        check(Part::Iss, issuer(&token, providers)),
        check(Part::Aud, audience(&token, provider)),
        check(Part::Sub, token.subject().map(|subject| format!("the user is {}", quote(subject)))),
        check(Part::Iat, issued(&token, now)),
        check(Part::Exp, expires(&token, now)),
        check(Part::Lifetime, lifetime(&token)),
        check(Part::Jti, token.token_id().map(|id| format!("{} was not used yet", quote(id)))),
    ];
    Examination { checks, presented: Presented::read(&token) }
}

fn check(part: Part, found: Result<String, String>) -> Check {
    let passed = found.is_ok();
    let explanation = found.unwrap_or_else(|wrong| wrong);
    Check { part, passed, explanation }
}

/// The provider that the token's issuer names. A token whose issuer is unknown is refused for that;
/// its `kid` may still lead to a provider for the rest of the explanation.
fn provider<'a>(
    token: &Token<'_>,
    providers: &'a [IdentityProvider],
) -> Option<&'a IdentityProvider> {
    let issuer = token.claim("iss").ok();
    let by_issuer = providers.iter().find(|provider| Some(provider.issuer.as_str()) == issuer);
    by_issuer.or_else(|| {
        let id = token.header("kid").ok()?;
        providers.iter().find(|provider| provider.keys.find(id).is_some())
    })
}

fn find_key<'a>(
    token: &Token<'_>,
    provider: &'a IdentityProvider,
) -> Result<&'a PublicKey, String> {
    let id = token.header("kid")?;
    provider.keys.find(id).ok_or_else(|| {
        let known = provider.keys.ids().iter().map(|id| quote(id)).collect::<Vec<_>>().join(", ");
        format!("no key {} is registered for the issuer; registered are {known}", quote(id))
    })
}

fn algorithm(token: &Token<'_>, key: Option<&PublicKey>) -> Result<String, String> {
    let named = token.header("alg")?;
    match key {
        Some(key) if key.algorithm().name() == named => {
            Ok(format!("{named} is the key's algorithm"))
        }
        Some(key) => Err(format!(
            "the token says {}, but the key is for {}",
            quote(named),
            key.algorithm().name()
        )),
        None if Algorithm::ALL.iter().any(|algorithm| algorithm.name() == named) => {
            Ok(format!("{named} is taken"))
        }
        None => Err(format!("{} is not taken; ES256, EdDSA and RS256 are", quote(named))),
    }
}

fn signature(token: &Token<'_>, key: Option<&PublicKey>) -> Result<String, String> {
    let key = key.ok_or("the signature cannot be checked without a key")?;
    if key.verifies(token.signed.as_bytes(), token.signature) {
        Ok(format!("the signature is by the key {}", quote(key.id())))
    } else {
        Err(format!("the signature is not by the key {}", quote(key.id())))
    }
}

fn issuer(token: &Token<'_>, providers: &[IdentityProvider]) -> Result<String, String> {
    let issuer = token.claim("iss")?;
    if providers.iter().any(|provider| provider.issuer == issuer) {
        return Ok(format!("{} is a registered issuer", quote(issuer)));
    }
    if providers.is_empty() {
        return Err("the tenant has no identity provider yet".to_owned());
    }
    let known: Vec<String> = providers.iter().map(|provider| quote(&provider.issuer)).collect();
    Err(format!("{} is not registered; registered are {}", quote(issuer), known.join(", ")))
}

fn audience(token: &Token<'_>, provider: Option<&IdentityProvider>) -> Result<String, String> {
    let audience = token.audience()?;
    match provider {
        Some(provider) if provider.audience == audience => {
            Ok(format!("{} is the audience expected", quote(audience)))
        }
        Some(provider) => Err(format!(
            "the token is for {}; expected is {}",
            quote(audience),
            quote(&provider.audience)
        )),
        None => Err("no identity provider is found that says which audience to expect".to_owned()),
    }
}

fn issued(token: &Token<'_>, now: Timestamp) -> Result<String, String> {
    let issued = token.moment("iat")?;
    if issued > now.plus(LEEWAY) {
        return Err(format!(
            "the token is issued {} s in the future; at most {} are taken",
            issued.seconds() - now.seconds(),
            LEEWAY.as_secs()
        ));
    }
    match token.moment_if_any("nbf")? {
        Some(start) if start > now.plus(LEEWAY) => Err(format!(
            "`nbf` says that the token is not valid for another {} s",
            start.seconds() - now.seconds()
        )),
        _ => Ok(format!("issued {} s ago", now.seconds() - issued.seconds())),
    }
}

fn expires(token: &Token<'_>, now: Timestamp) -> Result<String, String> {
    let expires = token.moment("exp")?;
    if now >= expires.plus(LEEWAY) {
        return Err(format!("the token expired {} s ago", now.seconds() - expires.seconds()));
    }
    Ok(format!("expires in {} s", expires.seconds() - now.seconds()))
}

fn lifetime(token: &Token<'_>) -> Result<String, String> {
    let (issued, expires) = (token.moment("iat")?, token.moment("exp")?);
    let seconds = expires.seconds() - issued.seconds();
    if expires <= issued {
        return Err("the token expires no later than it is issued".to_owned());
    }
    if expires > issued.plus(LIFETIME_MAX) {
        let max = LIFETIME_MAX.as_secs();
        return Err(format!(
            "the token lasts {seconds} s from `iat` to `exp`; at most {max} are taken"
        ));
    }
    Ok(format!("lasts {seconds} s"))
}

/// A text of the token, in quotes, escaped and short.
fn quote(text: &str) -> String {
    if text.chars().count() <= QUOTE_MAX {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(QUOTE_MAX).collect();
    format!("{start:?}…")
}
