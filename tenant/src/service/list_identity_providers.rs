use plasma_kit::actor;
use plasma_kit::ids::TenantId;
use plasma_proto::tenant::v1::{ListIdentityProvidersRequest, ListIdentityProvidersResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse};

/// Lists a tenant's identity providers.
pub async fn handle(
    tenants: &Tenants,
    request: Request<ListIdentityProvidersRequest>,
) -> Answer<ListIdentityProvidersResponse> {
    let actor = actor::of(&request)?;
    let tenant = TenantId::checked(&request.get_ref().tenant_id);

    let db = tenants.administered(&actor, tenant)?;
    if store::tenants::load(&db).await.map_err(refuse)?.is_none() {
        return Err(refuse(Error::TenantNotFound));
    }
    let providers = store::identity_providers::list(&db).await.map_err(refuse)?;
    let identity_providers = providers.iter().map(answer::identity_provider).collect();
    Ok(Response::new(ListIdentityProvidersResponse { identity_providers }))
}
