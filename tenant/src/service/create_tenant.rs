use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::TenantId;
use plasma_proto::tenant::v1::{CreateTenantRequest, CreateTenantResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::domain::link_base_url::LinkBaseUrl;
use crate::domain::name;
use crate::domain::tenant::{Tenant, TenantState};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, operator, refuse, settle};

/// Creates a tenant in the operator's scope: there is no tenant yet to hold.
pub async fn handle(
    tenants: &Tenants,
    request: Request<CreateTenantRequest>,
) -> Answer<CreateTenantResponse> {
    let actor = actor::of(&request)?;
    operator(&actor)?;
    let request = request.into_inner();
    let tenant = parse(tenants, &request).map_err(refuse)?;

    let db = tenants.db.tenant(TenantClaim::operator());
    let key = Key::new(actor.caller(), "CreateTenant", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    store::tenants::insert(claim.tx(), &tenant).await.map_err(refuse)?;
    let response = CreateTenantResponse { tenant: Some(answer::tenant(&tenant)) };
    Ok(Response::new(settle(claim, Ok(response)).await?))
}

fn parse(tenants: &Tenants, request: &CreateTenantRequest) -> Result<Tenant, Error> {
    Ok(Tenant {
        id: TenantId(tenants.env.uuid()),
        display_name: name::parse(&request.display_name)
            .ok_or_else(|| Error::invalid("display_name", name::RULE))?,
        link_base_url: LinkBaseUrl::parse(&request.link_base_url)
            .map_err(|error| Error::invalid("link_base_url", error.to_string()))?,
        policy: answer::policy(request.policy, tenants.account_reset_delay_min)?,
        operator_share_basis_points: request.operator_share_basis_points,
        state: TenantState::Active,
        create_time: tenants.env.now(),
        sandbox: request.sandbox,
        time_zone: answer::time_zone(&request.time_zone)?,
    })
}
