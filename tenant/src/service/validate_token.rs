use plasma_kit::actor;
use plasma_kit::ids::TenantId;
use plasma_proto::tenant::v1::{ValidateTokenRequest, ValidateTokenResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse};

/// Explains whether a platform token would be accepted.
pub async fn handle(
    tenants: &Tenants,
    request: Request<ValidateTokenRequest>,
) -> Answer<ValidateTokenResponse> {
    let actor = actor::of(&request)?;
    let request = request.into_inner();
    let tenant = TenantId::checked(&request.tenant_id);

    let db = tenants.administered(&actor, tenant)?;
    let tenant = store::tenants::load(&db).await.map_err(refuse)?;
    let tenant = tenant.ok_or(Error::TenantNotFound).map_err(refuse)?;
    let examination = tenants.examine_token(&db, &tenant, &request.token).await?;
    Ok(Response::new(ValidateTokenResponse {
        valid: examination.passed(),
        checks: examination.checks().iter().map(answer::token_check).collect(),
    }))
}
