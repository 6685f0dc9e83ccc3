//! A partner platform: a tenant, its API keys, and the keys with which it vouches for its users,
//! all made through real gRPC.

mod keys;
mod tokens;

use std::time::Duration;

use anyhow::{Context, Result};
use plasma_proto::billing::v1::price_terms::Mode;
use plasma_proto::billing::v1::pricing_service_client::PricingServiceClient;
use plasma_proto::billing::v1::subscription_price::Period;
use plasma_proto::billing::v1::wallet_service_client::WalletServiceClient;
use plasma_proto::billing::v1::{
    Amount, CreditWalletRequest, FixedPeriod, FreePrice, GetWalletRequest, MessageBundlePrice,
    OneTimeUnlockPrice, Price, PriceDefinition, PriceScope, PriceTarget, PriceTerms,
    PublishPriceRequest, Shares, SubscriptionPrice, TimePassPrice, Wallet,
};
use plasma_proto::tenant::v1::api_key_service_client::ApiKeyServiceClient;
use plasma_proto::tenant::v1::identity_provider_service_client::IdentityProviderServiceClient;
use plasma_proto::tenant::v1::tenant_service_client::TenantServiceClient;
use plasma_proto::tenant::v1::user_service_client::UserServiceClient;
use plasma_proto::tenant::v1::{
    AccessMode, ApiKeyScope, CreateApiKeyRequest, CreateIdentityProviderRequest,
    CreateTenantRequest, LookupUserRequest, TenantPolicy,
};
use serde_json::{Map, Value};
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

pub use keys::{Algorithm, SigningKey};
pub use tokens::TokenIssuer;

use crate::secret;

/// What a platform tells when it is set up.
#[derive(Debug, Clone)]
pub struct Onboarding {
    /// Name shown to people.
    pub display_name: String,
    /// Whether its chats are free or paid.
    pub access_mode: AccessMode,
    /// Whether users of other platforms may chat with its users.
    pub allow_other_platforms: bool,
    /// The operator's share of each charge, in basis points.
    pub operator_share_basis_points: u32,
    /// How long an account's devices can stop a reset; the service's default where unset.
    pub account_reset_delay: Option<Duration>,
    /// Whether it is a sandbox, whose clock can be moved.
    pub sandbox: bool,
    /// Its IANA time zone; UTC where empty.
    pub time_zone: String,
}

impl Onboarding {
    /// A platform without prices.
    pub fn free(display_name: &str) -> Self {
        Self {
            display_name: display_name.to_owned(),
            access_mode: AccessMode::Free,
            allow_other_platforms: false,
            operator_share_basis_points: 0,
            account_reset_delay: None,
            sandbox: false,
            time_zone: String::new(),
        }
    }

    /// A platform whose chats cost what its price list says.
    pub fn paid(display_name: &str, operator_share_basis_points: u32) -> Self {
        Self {
            access_mode: AccessMode::Paid,
            operator_share_basis_points,
            ..Self::free(display_name)
        }
    }

    /// The same, and an account can begin anew this long after that was asked for.
    #[must_use]
    pub fn account_reset_after(mut self, delay: Duration) -> Self {
        self.account_reset_delay = Some(delay);
        self
    }

    /// The same, as a sandbox.
    #[must_use]
    pub fn sandbox(mut self) -> Self {
        self.sandbox = true;
        self
    }

    /// The same, by the calendar of an IANA time zone.
    #[must_use]
    pub fn in_time_zone(mut self, name: &str) -> Self {
        name.clone_into(&mut self.time_zone);
        self
    }

    /// The same, and users of other platforms may chat with its users.
    #[must_use]
    pub fn open_to_other_platforms(mut self) -> Self {
        self.allow_other_platforms = true;
        self
    }
}

/// A platform that is set up.
#[derive(Debug, Clone)]
pub struct Platform {
    channel: Channel,
    tenant_id: String,
    admin_key: String,
    backend_key: String,
    tokens: TokenIssuer,
}

impl Platform {
    /// Creates the tenant, one API key of each scope, and the identity provider.
    pub async fn onboard(
        channel: Channel,
        operator_key: &str,
        onboarding: &Onboarding,
    ) -> Result<Self> {
        let tenant_id = create_tenant(&channel, operator_key, onboarding).await?;
        let admin_key = create_key(&channel, operator_key, &tenant_id, ApiKeyScope::Admin).await?;
        let backend_key =
            create_key(&channel, operator_key, &tenant_id, ApiKeyScope::Backend).await?;
        let issuer = format!("https://{}.platform.test", secret::name());
        let tokens = TokenIssuer::generate(issuer, "plasma")?;
        let platform = Self { channel, tenant_id, admin_key, backend_key, tokens };
        platform.register_identity_provider(&platform.tokens).await?;
        Ok(platform)
    }

    /// The tenant, `tenant_…`.
    pub fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    /// The secret of the key with the admin scope.
    pub fn admin_key(&self) -> &str {
        &self.admin_key
    }

    /// The secret of the key with the backend scope.
    pub fn backend_key(&self) -> &str {
        &self.backend_key
    }

    /// What the platform signs its user tokens with.
    pub fn tokens(&self) -> &TokenIssuer {
        &self.tokens
    }

    /// The public keys as a JSON Web Key Set.
    pub fn jwks_json(&self) -> Result<String> {
        self.tokens.jwks_json()
    }

    /// Signs a token (ES256) for the platform's user `sub`.
    pub fn user_token(&self, sub: &str) -> Result<String> {
        self.tokens.token(Algorithm::Es256, sub)
    }

    /// Signs a token (ES256) whose claims and header `spoil` has changed.
    pub fn user_token_with(
        &self,
        sub: &str,
        spoil: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>),
    ) -> Result<String> {
        self.tokens.token_with(Algorithm::Es256, sub, spoil)
    }

    /// A request with the key of the admin scope.
    pub fn admin<T>(&self, message: T) -> Result<Request<T>> {
        request_as(&self.admin_key, message)
    }

    /// A request with the key of the backend scope.
    pub fn backend<T>(&self, message: T) -> Result<Request<T>> {
        request_as(&self.backend_key, message)
    }

    /// Registers the keys of a token issuer; its `idp_…`.
    pub async fn register_identity_provider(&self, tokens: &TokenIssuer) -> Result<String> {
        let request = CreateIdentityProviderRequest {
            request_id: secret::request_id(),
            tenant_id: self.tenant_id.clone(),
            issuer: tokens.issuer().to_owned(),
            audience: tokens.audience().to_owned(),
            jwks_json: tokens.jwks_json()?,
        };
        let provider = IdentityProviderServiceClient::new(self.channel.clone())
            .create_identity_provider(self.admin(request)?)
            .await
            .context("CreateIdentityProvider")?
            .into_inner()
            .identity_provider
            .context("an identity provider")?;
        Ok(provider.identity_provider_id)
    }

    /// Finds the user, `user_…`, for the platform's own id of it.
    pub async fn lookup(&self, sub: &str) -> Result<String> {
        let request = LookupUserRequest { partner_user_id: sub.to_owned() };
        let user = UserServiceClient::new(self.channel.clone())
            .lookup_user(self.backend(request)?)
            .await
            .context("LookupUser")?
            .into_inner()
            .user
            .context("a user")?;
        Ok(user.user_id)
    }

    /// Adds money to a user's wallet.
    pub async fn credit(&self, user_id: &str, amount: Amount) -> Result<Wallet> {
        let request = CreditWalletRequest {
            request_id: secret::request_id(),
            user_id: user_id.to_owned(),
            amount: Some(amount),
            reference: String::new(),
        };
        WalletServiceClient::new(self.channel.clone())
            .credit_wallet(self.backend(request)?)
            .await
            .context("CreditWallet")?
            .into_inner()
            .wallet
            .context("a wallet")
    }

    /// Gets a user's wallet.
    pub async fn wallet(&self, user_id: &str, currency_code: &str) -> Result<Wallet> {
        let request = GetWalletRequest {
            user_id: user_id.to_owned(),
            currency_code: currency_code.to_owned(),
        };
        WalletServiceClient::new(self.channel.clone())
            .get_wallet(self.backend(request)?)
            .await
            .context("GetWallet")?
            .into_inner()
            .wallet
            .context("a wallet")
    }

    /// Publishes the price of one recipient, or the tenant's default where there is none.
    pub async fn publish_price(
        &self,
        terms: PriceTerms,
        recipient_user_id: Option<&str>,
        recipient_basis_points: u32,
    ) -> Result<Price> {
        let scope = match recipient_user_id {
            None => PriceScope::TenantDefault,
            Some(_) => PriceScope::Recipient,
        };
        let shares = Shares {
            recipient_basis_points,
            platform_basis_points: 10_000_u32.saturating_sub(recipient_basis_points),
        };
        let target = PriceTarget {
            scope: scope.into(),
            recipient_user_id: recipient_user_id.unwrap_or_default().to_owned(),
            ..PriceTarget::default()
        };
        let request = PublishPriceRequest {
            request_id: secret::request_id(),
            definition: Some(PriceDefinition {
                target: Some(target),
                terms: Some(terms),
                shares: Some(shares),
                consent_time: None,
            }),
            effective_time: None,
        };
        PricingServiceClient::new(self.channel.clone())
            .publish_price(self.admin(request)?)
            .await
            .context("PublishPrice")?
            .into_inner()
            .price
            .context("a price")
    }
}

/// An amount of money.
pub fn amount(currency_code: &str, minor_units: i64) -> Amount {
    Amount { currency_code: currency_code.to_owned(), minor_units }
}

/// A price of nothing.
pub fn free() -> PriceTerms {
    Mode::Free(FreePrice {}).into()
}

/// A price that is paid once.
pub fn one_time_unlock(amount: Amount) -> PriceTerms {
    Mode::OneTimeUnlock(OneTimeUnlockPrice { amount: Some(amount) }).into()
}

/// A price that opens a chat for some seconds.
pub fn time_pass(amount: Amount, seconds: i64) -> PriceTerms {
    let duration = prost_types::Duration { seconds, nanos: 0 };
    Mode::TimePass(TimePassPrice { amount: Some(amount), duration: Some(duration) }).into()
}

/// A price that pays for some messages.
pub fn message_bundle(amount: Amount, messages: i32) -> PriceTerms {
    Mode::MessageBundle(MessageBundlePrice { amount: Some(amount), messages }).into()
}

/// A price that is paid for every some days.
pub fn subscription(amount: Amount, days: i32) -> PriceTerms {
    let period = Some(Period::Fixed(FixedPeriod { days }));
    Mode::Subscription(SubscriptionPrice { amount: Some(amount), period, grace: None }).into()
}

/// A request with `authorization: Bearer <credential>`.
pub fn request_as<T>(credential: &str, message: T) -> Result<Request<T>> {
    let value: MetadataValue<Ascii> =
        format!("Bearer {credential}").parse().context("a credential of visible ASCII")?;
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

async fn create_tenant(
    channel: &Channel,
    operator_key: &str,
    onboarding: &Onboarding,
) -> Result<String> {
    let request = CreateTenantRequest {
        request_id: secret::request_id(),
        display_name: onboarding.display_name.clone(),
        link_base_url: String::new(),
        policy: Some(TenantPolicy {
            access_mode: onboarding.access_mode.into(),
            allow_other_platforms: onboarding.allow_other_platforms,
            account_reset_delay: onboarding
                .account_reset_delay
                .and_then(|delay| prost_types::Duration::try_from(delay).ok()),
        }),
        operator_share_basis_points: onboarding.operator_share_basis_points,
        sandbox: onboarding.sandbox,
        time_zone: onboarding.time_zone.clone(),
    };
    let tenant = TenantServiceClient::new(channel.clone())
        .create_tenant(request_as(operator_key, request)?)
        .await
        .context("CreateTenant")?
        .into_inner()
        .tenant
        .context("a tenant")?;
    Ok(tenant.tenant_id)
}

async fn create_key(
    channel: &Channel,
    operator_key: &str,
    tenant_id: &str,
    scope: ApiKeyScope,
) -> Result<String> {
    let request = CreateApiKeyRequest {
        request_id: secret::request_id(),
        tenant_id: tenant_id.to_owned(),
        label: scope.as_str_name().to_lowercase(),
        scopes: vec![scope.into()],
    };
    let created = ApiKeyServiceClient::new(channel.clone())
        .create_api_key(request_as(operator_key, request)?)
        .await
        .context("CreateApiKey")?;
    Ok(created.into_inner().secret)
}
