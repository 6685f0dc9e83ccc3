use plasma_kit::actor;
use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::events::Event;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::TenantId;

use plasma_proto::tenant::v1::{ResumeTenantRequest, ResumeTenantResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::domain::tenant::{Tenant, TenantState};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse, settle};

/// Ends a suspension.
pub async fn handle(
    tenants: &Tenants,
    request: Request<ResumeTenantRequest>,
) -> Answer<ResumeTenantResponse> {
    let actor = actor::of(&request)?;
    let request = request.into_inner();
    let tenant = TenantId::checked(&request.tenant_id);

    let db = tenants.administered(&actor, tenant)?;
    let key = Key::new(actor.caller(), "ResumeTenant", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    let moved = apply(claim.tx()).await.map_err(refuse)?;
    let changed = matches!(moved, Ok((_, true)));
    let outcome =
        moved.map(|(tenant, _)| ResumeTenantResponse { tenant: Some(answer::tenant(&tenant)) });
    let response = settle(claim, outcome).await?;
    if changed {
        tenants.announce(Event::TenantChanged(tenant)).await;
    }
    Ok(Response::new(response))
}

/// Moves the tenant, and says whether that changed anything.
async fn apply(tx: &TenantTx) -> Result<Result<(Tenant, bool), Error>, StoreError> {
    let Some(before) = store::tenants::lock(tx).await? else {
        return Ok(Err(Error::TenantNotFound));
    };
    match before.moved_to(TenantState::Active) {
        None => Ok(Ok((before, false))),
        Some(after) => {
            store::tenants::save(tx, &after).await?;
            Ok(Ok((after, true)))
        }
    }
}
