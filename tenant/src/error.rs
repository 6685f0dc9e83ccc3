//! Why this context refuses a call, and the one place that says how the contract tells it.

use plasma_kit::Failure;
use plasma_kit::status::ErrorReason;
use tonic::Code;

use crate::domain::api_key::ACTIVE_KEYS_MAX;
use crate::domain::identity_provider::PROVIDERS_MAX;

/// A refusal: the call was understood, and the answer is no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such tenant, or it is not the caller's.
    #[error("tenant not found")]
    TenantNotFound,
    /// There is no such key.
    #[error("API key not found")]
    ApiKeyNotFound,
    /// There is no such identity provider.
    #[error("identity provider not found")]
    IdentityProviderNotFound,
    /// There is no such user.
    #[error("user not found")]
    UserNotFound,
    /// A field breaks a rule that the contract's options cannot state.
    #[error("{field} {rule}")]
    Invalid {
        /// The field's path.
        field: &'static str,
        /// What is expected, for a person.
        rule: String,
    },
    /// The tenant has all the active keys it may have.
    #[error("the tenant has {ACTIVE_KEYS_MAX} active API keys already")]
    TooManyApiKeys,
    /// The tenant has all the identity providers it may have.
    #[error("the tenant has {PROVIDERS_MAX} identity providers already")]
    TooManyIdentityProviders,
    /// Another identity provider of the tenant has the issuer.
    #[error("an identity provider with this issuer is registered already")]
    IssuerTaken,
    /// The secret is of no active key.
    #[error("the API key is unknown or revoked")]
    ApiKeyRefused,
    /// The platform's token is not acceptable.
    #[error("the platform's user token was refused")]
    PlatformTokenRefused,
    /// The tenant is suspended.
    #[error("the tenant is suspended")]
    TenantSuspended,
    /// The user is blocked.
    #[error("the user is blocked")]
    UserBlocked,
}

impl Error {
    /// Says which rule a field breaks.
    pub fn invalid(field: &'static str, rule: impl Into<String>) -> Self {
        Self::Invalid { field, rule: rule.into() }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::TenantNotFound => Self::not_found("tenant"),
            Error::ApiKeyNotFound => Self::not_found("API key"),
            Error::IdentityProviderNotFound => Self::not_found("identity provider"),
            Error::UserNotFound => Self::not_found("user"),
            Error::Invalid { field, rule } => Self::invalid(field, &rule),
            Error::TooManyApiKeys => Self::limit_reached("active_api_keys", text),
            Error::TooManyIdentityProviders => Self::limit_reached("identity_providers", text),
            Error::IssuerTaken => Self::new(Code::AlreadyExists, ErrorReason::AlreadyExists, text),
            Error::ApiKeyRefused => Self::unauthenticated(),
            Error::PlatformTokenRefused => {
                Self::new(Code::Unauthenticated, ErrorReason::PlatformTokenInvalid, text)
            }
            Error::TenantSuspended => Self::tenant_suspended(),
            Error::UserBlocked => Self::user_blocked(),
        }
    }
}
