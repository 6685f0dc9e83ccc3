//! Two platforms are onboarded: one whose chats are paid, one whose chats are free.

use anyhow::{Context, Result};
use plasma_proto::billing::v1::pricing_service_client::PricingServiceClient;
use plasma_proto::billing::v1::{ExplainPriceRequest, PriceRule};
use plasma_proto::tenant::v1::api_key_service_client::ApiKeyServiceClient;
use plasma_proto::tenant::v1::identity_provider_service_client::IdentityProviderServiceClient;
use plasma_proto::tenant::v1::tenant_service_client::TenantServiceClient;
use plasma_proto::tenant::v1::{
    AccessMode, GetTenantRequest, ListApiKeysRequest, Tenant, ValidateTokenRequest,
    ValidateTokenResponse,
};
use plasma_testkit::platform::{amount, request_as, time_pass};
use plasma_testkit::{Onboarding, Platform};
use serde_json::json;
use tonic::transport::Channel;

use super::opening::Stage;
use crate::figure;
use crate::transcript::Transcript;

/// The operator's share of each charge, in basis points.
const OPERATOR_SHARE: u32 = 1_000;
/// The recipient's share of what is left, in basis points.
pub const RECIPIENT_SHARE: u32 = 8_000;
/// What a chat on the paid platform costs, in cents.
pub const PRICE: i64 = 999;
/// How long it lasts.
pub const PASS_SECONDS: i64 = 30 * 86_400;

/// The two platforms.
#[derive(Debug)]
pub struct Platforms {
    /// Chats are paid; open to other platforms.
    pub studio: Platform,
    /// Chats are free; closed to other platforms, at first.
    pub bank: Platform,
}

/// Onboards both, as an operator and their admins do.
pub async fn onboard(transcript: &mut Transcript, stage: &Stage) -> Result<Platforms> {
    transcript.chapter("Two platforms are onboarded");
    let (channel, operator) = (stage.cluster.node(0).channel()?, stage.cluster.operator_key());
    let studio = Onboarding::paid("Studio Lumen", OPERATOR_SHARE).open_to_other_platforms();
    let studio = Platform::onboard(channel.clone(), operator, &studio).await?;
    let bank = Onboarding::free("Harbour Bank");
    let bank = Platform::onboard(channel.clone(), operator, &bank).await?;
    let mut modes = Vec::new();
    for platform in [&studio, &bank] {
        let tenant = tenant(&channel, operator, platform).await?;
        let mode = tenant.policy.as_ref().map(plasma_proto::tenant::v1::TenantPolicy::access_mode);
        modes.push(mode.unwrap_or_default());
        transcript.step(&format!("{} is a platform now", tenant.display_name));
        transcript.detail("tenant", figure::id(&tenant.tenant_id));
        transcript.detail("admin key, shown once", figure::secret(platform.admin_key()));
        transcript.detail("back-end key", figure::secret(platform.backend_key()));
    }
    let expected = [AccessMode::Paid, AccessMode::Free];
    transcript.check(
        "a paid and a free platform are onboarded",
        modes == expected,
        format!("{}, {}", modes[0].as_str_name(), modes[1].as_str_name()),
    );
    keys_are_shown_once(transcript, &channel, &studio).await?;
    tokens_are_explained(transcript, &channel, &studio).await?;
    prices_are_set(transcript, &channel, &studio).await?;
    Ok(Platforms { studio, bank })
}

async fn tenant(channel: &Channel, operator: &str, platform: &Platform) -> Result<Tenant> {
    let request = GetTenantRequest { tenant_id: platform.tenant_id().to_owned() };
    let mut client = TenantServiceClient::new(channel.clone());
    let answer = client.get_tenant(request_as(operator, request)?).await?;
    answer.into_inner().tenant.context("a tenant")
}

async fn keys_are_shown_once(
    transcript: &mut Transcript,
    channel: &Channel,
    platform: &Platform,
) -> Result<()> {
    let request = ListApiKeysRequest {
        tenant_id: platform.tenant_id().to_owned(),
        page_size: 0,
        page_token: String::new(),
    };
    let mut client = ApiKeyServiceClient::new(channel.clone());
    let listed = client.list_api_keys(platform.admin(request)?).await?.into_inner();
    let shown = format!("{listed:?}");
    let secrets = [platform.admin_key(), platform.backend_key()];
    let prefixes: Vec<_> = listed.api_keys.iter().map(|key| key.secret_prefix.as_str()).collect();
    let recognised =
        secrets.iter().all(|secret| prefixes.iter().any(|prefix| secret.starts_with(prefix)));
    transcript.check(
        "a key's secret is shown once, later only its beginning",
        listed.api_keys.len() == 2
            && recognised
            && prefixes.iter().all(|prefix| !prefix.is_empty())
            && secrets.iter().all(|secret| !shown.contains(secret)),
        format!("listed as {}", prefixes.join(", ")),
    );
    Ok(())
}

async fn validate(
    channel: &Channel,
    platform: &Platform,
    token: String,
) -> Result<ValidateTokenResponse> {
    let request = ValidateTokenRequest { tenant_id: platform.tenant_id().to_owned(), token };
    let mut client = IdentityProviderServiceClient::new(channel.clone());
    Ok(client.validate_token(platform.backend(request)?).await?.into_inner())
}

async fn tokens_are_explained(
    transcript: &mut Transcript,
    channel: &Channel,
    platform: &Platform,
) -> Result<()> {
    let good = validate(channel, platform, platform.user_token("somebody")?).await?;
    let spoiled = platform.user_token_with("somebody", |claims, _| {
        claims.insert("aud".to_owned(), json!("another-service"));
    })?;
    let spoiled = validate(channel, platform, spoiled).await?;
    transcript.step("the platform asks why a token with a wrong audience is refused");
    for check in spoiled.checks.iter().filter(|check| !check.passed) {
        transcript.detail(&check.part, &check.explanation);
    }
    let wrong: Vec<_> =
        spoiled.checks.iter().filter(|check| !check.passed).map(|check| &check.part[..]).collect();
    transcript.check(
        "ValidateToken says which claim is wrong",
        good.valid && !spoiled.valid && wrong == ["aud"],
        format!(
            "good token accepted; of {} parts wrong: {}",
            spoiled.checks.len(),
            wrong.join(", ")
        ),
    );
    Ok(())
}

async fn prices_are_set(
    transcript: &mut Transcript,
    channel: &Channel,
    platform: &Platform,
) -> Result<()> {
    let mode = time_pass(amount("EUR", PRICE), PASS_SECONDS);
    platform.publish_price(mode, None, RECIPIENT_SHARE).await?;
    let request = ExplainPriceRequest::default();
    let mut client = PricingServiceClient::new(channel.clone());
    let explained = client.explain_price(platform.admin(request)?).await?.into_inner();
    let quote = explained.quote.clone().context("a quote")?;
    transcript.check(
        "the paid platform's price is set and explained",
        figure::price_of(&quote) == PRICE && explained.rule() == PriceRule::TenantDefault,
        format!("{} by {}", figure::quote(&quote), explained.rule().as_str_name()),
    );
    Ok(())
}
