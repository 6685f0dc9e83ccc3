//! The services of `plasma.tenant.v1`: one file for each RPC.

mod answer;
mod block_user;
mod create_api_key;
mod create_identity_provider;
mod create_tenant;
mod delete_identity_provider;
mod get_tenant;
mod list_api_keys;
mod list_identity_providers;
mod list_tenants;
mod lookup_user;
mod resume_tenant;
mod revoke_api_key;
mod suspend_tenant;
mod unblock_user;
mod update_tenant;
mod validate_token;

use plasma_proto::tenant::v1 as pb;
use tonic::{Request, Response, Status};

use crate::tenants::Tenants;

/// The answer of an RPC.
type Answer<T> = Result<Response<T>, Status>;

/// Creates and steers partner platforms.
#[derive(Debug, Clone)]
pub struct TenantService {
    tenants: Tenants,
}

impl TenantService {
    /// Makes the service over the handle of this context.
    pub fn new(tenants: Tenants) -> Self {
        Self { tenants }
    }
}

#[tonic::async_trait]
impl pb::tenant_service_server::TenantService for TenantService {
    async fn create_tenant(
        &self,
        request: Request<pb::CreateTenantRequest>,
    ) -> Answer<pb::CreateTenantResponse> {
        create_tenant::handle(&self.tenants, request).await
    }

    async fn get_tenant(
        &self,
        request: Request<pb::GetTenantRequest>,
    ) -> Answer<pb::GetTenantResponse> {
        get_tenant::handle(&self.tenants, request).await
    }

    async fn list_tenants(
        &self,
        request: Request<pb::ListTenantsRequest>,
    ) -> Answer<pb::ListTenantsResponse> {
        list_tenants::handle(&self.tenants, request).await
    }

    async fn update_tenant(
        &self,
        request: Request<pb::UpdateTenantRequest>,
    ) -> Answer<pb::UpdateTenantResponse> {
        update_tenant::handle(&self.tenants, request).await
    }

    async fn suspend_tenant(
        &self,
        request: Request<pb::SuspendTenantRequest>,
    ) -> Answer<pb::SuspendTenantResponse> {
        suspend_tenant::handle(&self.tenants, request).await
    }

    async fn resume_tenant(
        &self,
        request: Request<pb::ResumeTenantRequest>,
    ) -> Answer<pb::ResumeTenantResponse> {
        resume_tenant::handle(&self.tenants, request).await
    }
}

/// Makes and revokes the keys with which a platform calls Plasma.
#[derive(Debug, Clone)]
pub struct ApiKeyService {
    tenants: Tenants,
}

impl ApiKeyService {
    /// Makes the service over the handle of this context.
    pub fn new(tenants: Tenants) -> Self {
        Self { tenants }
    }
}

#[tonic::async_trait]
impl pb::api_key_service_server::ApiKeyService for ApiKeyService {
    async fn create_api_key(
        &self,
        request: Request<pb::CreateApiKeyRequest>,
    ) -> Answer<pb::CreateApiKeyResponse> {
        create_api_key::handle(&self.tenants, request).await
    }

    async fn list_api_keys(
        &self,
        request: Request<pb::ListApiKeysRequest>,
    ) -> Answer<pb::ListApiKeysResponse> {
        list_api_keys::handle(&self.tenants, request).await
    }

    async fn revoke_api_key(
        &self,
        request: Request<pb::RevokeApiKeyRequest>,
    ) -> Answer<pb::RevokeApiKeyResponse> {
        revoke_api_key::handle(&self.tenants, request).await
    }
}

/// Registers the keys with which a platform vouches for its users.
#[derive(Debug, Clone)]
pub struct IdentityProviderService {
    tenants: Tenants,
}

impl IdentityProviderService {
    /// Makes the service over the handle of this context.
    pub fn new(tenants: Tenants) -> Self {
        Self { tenants }
    }
}

#[tonic::async_trait]
impl pb::identity_provider_service_server::IdentityProviderService for IdentityProviderService {
    async fn create_identity_provider(
        &self,
        request: Request<pb::CreateIdentityProviderRequest>,
    ) -> Answer<pb::CreateIdentityProviderResponse> {
        create_identity_provider::handle(&self.tenants, request).await
    }

    async fn list_identity_providers(
        &self,
        request: Request<pb::ListIdentityProvidersRequest>,
    ) -> Answer<pb::ListIdentityProvidersResponse> {
        list_identity_providers::handle(&self.tenants, request).await
    }

    async fn delete_identity_provider(
        &self,
        request: Request<pb::DeleteIdentityProviderRequest>,
    ) -> Answer<pb::DeleteIdentityProviderResponse> {
        delete_identity_provider::handle(&self.tenants, request).await
    }

    async fn validate_token(
        &self,
        request: Request<pb::ValidateTokenRequest>,
    ) -> Answer<pb::ValidateTokenResponse> {
        validate_token::handle(&self.tenants, request).await
    }
}

/// What a platform may do about its own users.
#[derive(Debug, Clone)]
pub struct UserService {
    tenants: Tenants,
}

impl UserService {
    /// Makes the service over the handle of this context.
    pub fn new(tenants: Tenants) -> Self {
        Self { tenants }
    }
}

#[tonic::async_trait]
impl pb::user_service_server::UserService for UserService {
    async fn lookup_user(
        &self,
        request: Request<pb::LookupUserRequest>,
    ) -> Answer<pb::LookupUserResponse> {
        lookup_user::handle(&self.tenants, request).await
    }

    async fn block_user(
        &self,
        request: Request<pb::BlockUserRequest>,
    ) -> Answer<pb::BlockUserResponse> {
        block_user::handle(&self.tenants, request).await
    }

    async fn unblock_user(
        &self,
        request: Request<pb::UnblockUserRequest>,
    ) -> Answer<pb::UnblockUserResponse> {
        unblock_user::handle(&self.tenants, request).await
    }
}
