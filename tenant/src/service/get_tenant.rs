use plasma_kit::actor;
use plasma_kit::ids::TenantId;
use plasma_proto::tenant::v1::{GetTenantRequest, GetTenantResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse};

/// Gets a tenant: the operator any, a key its own.
pub async fn handle(
    tenants: &Tenants,
    request: Request<GetTenantRequest>,
) -> Answer<GetTenantResponse> {
    let actor = actor::of(&request)?;
    let tenant = TenantId::checked(&request.get_ref().tenant_id);

    let db = tenants.administered(&actor, tenant)?;
    let tenant = store::tenants::load(&db).await.map_err(refuse)?;
    let tenant = tenant.ok_or(Error::TenantNotFound).map_err(refuse)?;
    Ok(Response::new(GetTenantResponse { tenant: Some(answer::tenant(&tenant)) }))
}
