//! Platforms, keys, identity providers.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use comfy_table::Table;
use plasma_proto::tenant::v1::api_key_service_client::ApiKeyServiceClient;
use plasma_proto::tenant::v1::identity_provider_service_client::IdentityProviderServiceClient;
use plasma_proto::tenant::v1::tenant_service_client::TenantServiceClient;
use plasma_proto::tenant::v1::{
    AccessMode, ApiKeyScope, CreateApiKeyRequest, CreateIdentityProviderRequest,
    CreateTenantRequest, ListTenantsRequest, RevokeApiKeyRequest, TenantPolicy, TenantState,
};

use super::Connection;
use super::connection::{explain, request_id};

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    Free,
    Paid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scope {
    Admin,
    Backend,
}

/// Create a platform and its first API key.
#[derive(Debug, Args)]
pub(crate) struct CreateTenant {
    /// The name shown to people.
    name: String,
    /// Whether chats with its users are free or cost what its price list says.
    #[arg(long, value_enum)]
    access: Mode,
    /// Let users of other platforms chat with its users.
    #[arg(long)]
    allow_other_platforms: bool,
    /// Where its contact links point, such as `https://chat.example.com`.
    #[arg(long, default_value = "")]
    link_base_url: String,
    /// The operator's share of each charge, in basis points: 500 is 5 %.
    #[arg(long, default_value_t = 0)]
    operator_share: u32,
    /// Make it a sandbox, for good: its clock can be moved, and its users chat with users of
    /// sandboxes only.
    #[arg(long)]
    sandbox: bool,
    /// Its IANA time zone, such as Europe/Berlin.
    #[arg(long, default_value = "Etc/UTC")]
    time_zone: String,
}

impl CreateTenant {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let access_mode = match self.access {
            Mode::Free => AccessMode::Free,
            Mode::Paid => AccessMode::Paid,
        };
        let request = CreateTenantRequest {
            request_id: request_id(),
            display_name: self.name,
            link_base_url: self.link_base_url,
            policy: Some(TenantPolicy {
                access_mode: access_mode.into(),
                allow_other_platforms: self.allow_other_platforms,
                account_reset_delay: None,
            }),
            operator_share_basis_points: self.operator_share,
            sandbox: self.sandbox,
            time_zone: self.time_zone,
        };
        let answer = TenantServiceClient::new(connection.channel.clone())
            .create_tenant(connection.request(request))
            .await
            .map_err(explain)?;
        let tenant = answer.into_inner().tenant.context("the answer has no tenant")?;
        println!("tenant   {}", tenant.tenant_id);
        create_key(connection, tenant.tenant_id, "first key", &[Scope::Admin, Scope::Backend]).await
    }
}

/// Make an API key.
#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// The tenant, tenant_….
    tenant_id: String,
    /// A name for people.
    #[arg(long, default_value = "key")]
    label: String,
    /// What the key may do; may be given twice.
    #[arg(long, value_enum, required = true)]
    scope: Vec<Scope>,
}

impl CreateKey {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        create_key(connection, self.tenant_id, &self.label, &self.scope).await
    }
}

async fn create_key(
    connection: &Connection,
    tenant_id: String,
    label: &str,
    scopes: &[Scope],
) -> Result<()> {
    let scopes = scopes.iter().map(|scope| match scope {
        Scope::Admin => ApiKeyScope::Admin.into(),
        Scope::Backend => ApiKeyScope::Backend.into(),
    });
    let request = CreateApiKeyRequest {
        request_id: request_id(),
        tenant_id,
        label: label.to_owned(),
        scopes: scopes.collect(),
    };
    let answer = ApiKeyServiceClient::new(connection.channel.clone())
        .create_api_key(connection.request(request))
        .await
        .map_err(explain)?
        .into_inner();
    let key = answer.api_key.context("the answer has no key")?;
    println!("key      {}", key.api_key_id);
    println!("secret   {}   (shown this once)", answer.secret);
    Ok(())
}

/// Revoke an API key.
#[derive(Debug, Args)]
pub(crate) struct RevokeKey {
    /// The tenant, tenant_….
    tenant_id: String,
    /// The key, key_….
    api_key_id: String,
}

impl RevokeKey {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let request = RevokeApiKeyRequest {
            request_id: request_id(),
            tenant_id: self.tenant_id,
            api_key_id: self.api_key_id,
        };
        let answer = ApiKeyServiceClient::new(connection.channel.clone())
            .revoke_api_key(connection.request(request))
            .await
            .map_err(explain)?;
        let key = answer.into_inner().api_key.context("the answer has no key")?;
        println!("{} is revoked; every node refuses it within 5 seconds", key.api_key_id);
        Ok(())
    }
}

/// Register the keys that vouch for a platform's users.
#[derive(Debug, Args)]
pub(crate) struct RegisterProvider {
    /// The tenant, tenant_….
    tenant_id: String,
    /// The `iss` of its tokens.
    #[arg(long)]
    issuer: String,
    /// The `aud` of its tokens.
    #[arg(long, default_value = "plasma")]
    audience: String,
    /// A file with the public keys as a JSON Web Key Set.
    #[arg(long)]
    jwks: PathBuf,
}

impl RegisterProvider {
    pub(crate) async fn run(self, connection: &Connection) -> Result<()> {
        let jwks_json = std::fs::read_to_string(&self.jwks)
            .with_context(|| format!("cannot read {}", self.jwks.display()))?;
        let request = CreateIdentityProviderRequest {
            request_id: request_id(),
            tenant_id: self.tenant_id,
            issuer: self.issuer,
            audience: self.audience,
            jwks_json,
        };
        let answer = IdentityProviderServiceClient::new(connection.channel.clone())
            .create_identity_provider(connection.request(request))
            .await
            .map_err(explain)?;
        let provider =
            answer.into_inner().identity_provider.context("the answer has no provider")?;
        println!("provider {}", provider.identity_provider_id);
        println!("keys     {}", provider.key_ids.join(", "));
        Ok(())
    }
}

/// Lists every platform, page by page.
pub(crate) async fn list_tenants(connection: &Connection) -> Result<()> {
    let mut table = Table::new();
    table.set_header(["tenant", "name", "kind", "state", "time zone", "operator share"]);
    let mut page_token = String::new();
    loop {
        let request = ListTenantsRequest { page_size: 200, page_token };
        let answer = TenantServiceClient::new(connection.channel.clone())
            .list_tenants(connection.request(request))
            .await
            .map_err(explain)?
            .into_inner();
        for tenant in answer.tenants {
            let state = match tenant.state() {
                TenantState::Unspecified => "unknown",
                TenantState::Active => "active",
                TenantState::Suspended => "suspended",
            };
            let share = format!("{} bp", tenant.operator_share_basis_points);
            let kind = if tenant.sandbox { "sandbox" } else { "live" };
            table.add_row([
                tenant.tenant_id,
                tenant.display_name,
                kind.to_owned(),
                state.to_owned(),
                tenant.time_zone,
                share,
            ]);
        }
        if answer.next_page_token.is_empty() {
            break;
        }
        page_token = answer.next_page_token;
    }
    println!("{table}");
    Ok(())
}
