use plasma_kit::actor;
use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::events::Event;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::TenantId;
use plasma_proto::tenant::v1::{UpdateTenantRequest, UpdateTenantResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::domain::link_base_url::LinkBaseUrl;
use crate::domain::name;
use crate::domain::tenant::{Tenant, TenantChange};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse, settle};

/// Changes the fields that the mask names.
pub async fn handle(
    tenants: &Tenants,
    request: Request<UpdateTenantRequest>,
) -> Answer<UpdateTenantResponse> {
    let actor = actor::of(&request)?;
    let request = request.into_inner();
    let tenant = TenantId::checked(&request.tenant_id);
    let change = parse(tenants, &request).map_err(refuse)?;

    let db = tenants.administered(&actor, tenant)?;
    let key = Key::new(actor.caller(), "UpdateTenant", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    let changed = apply(claim.tx(), change).await.map_err(refuse)?;
    let outcome =
        changed.map(|tenant| UpdateTenantResponse { tenant: Some(answer::tenant(&tenant)) });
    let response = settle(claim, outcome).await?;
    tenants.announce(Event::TenantChanged(tenant)).await;
    Ok(Response::new(response))
}

fn parse(tenants: &Tenants, request: &UpdateTenantRequest) -> Result<TenantChange, Error> {
    let mut change = TenantChange::default();
    for path in request.update_mask.iter().flat_map(|mask| &mask.paths) {
        match path.as_str() {
            "display_name" => {
                let name = name::parse(&request.display_name)
                    .ok_or_else(|| Error::invalid("display_name", name::RULE))?;
                change.display_name = Some(name);
            }
            "link_base_url" => {
                let url = LinkBaseUrl::parse(&request.link_base_url)
                    .map_err(|error| Error::invalid("link_base_url", error.to_string()))?;
                change.link_base_url = Some(url);
            }
            "policy" => {
                let least = tenants.account_reset_delay_min;
                change.policy = Some(answer::policy(request.policy, least)?);
            }
            "time_zone" => change.time_zone = Some(answer::time_zone(&request.time_zone)?),
            _ => {
                let rule = "must name display_name, link_base_url, policy or time_zone";
                return Err(Error::invalid("update_mask", rule));
            }
        }
    }
    Ok(change)
}

async fn apply(tx: &TenantTx, change: TenantChange) -> Result<Result<Tenant, Error>, StoreError> {
    let Some(before) = store::tenants::lock(tx).await? else {
        return Ok(Err(Error::TenantNotFound));
    };
    let after = before.changed(change);
    if after != before {
        store::tenants::save(tx, &after).await?;
    }
    Ok(Ok(after))
}
