use plasma_kit::Env;
use plasma_kit::actor;
use plasma_kit::changes::{self, Change};
use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::events::{Event, Subject};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::TenantId;
use plasma_proto::tenant::v1::{SuspendTenantRequest, SuspendTenantResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::domain::tenant::{Tenant, TenantState};
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse, settle};

/// Suspends a tenant, and ends what its keys and users have open.
pub async fn handle(
    tenants: &Tenants,
    request: Request<SuspendTenantRequest>,
) -> Answer<SuspendTenantResponse> {
    let actor = actor::of(&request)?;
    let request = request.into_inner();
    let tenant = TenantId::checked(&request.tenant_id);

    let db = tenants.administered(&actor, tenant)?;
    let key = Key::new(actor.caller(), "SuspendTenant", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    let moved = apply(claim.tx(), &tenants.env).await.map_err(refuse)?;
    let changed = matches!(moved, Ok((_, true)));
    let outcome =
        moved.map(|(tenant, _)| SuspendTenantResponse { tenant: Some(answer::tenant(&tenant)) });
    let response = settle(claim, outcome).await?;
    if changed {
        tenants.announce(Event::Revoked { tenant, subject: Subject::Tenant }).await;
    }
    Ok(Response::new(response))
}

/// Moves the tenant, and says whether that changed anything.
async fn apply(tx: &TenantTx, env: &Env) -> Result<Result<(Tenant, bool), Error>, StoreError> {
    let Some(before) = store::tenants::lock(tx).await? else {
        return Ok(Err(Error::TenantNotFound));
    };
    match before.moved_to(TenantState::Suspended) {
        None => Ok(Ok((before, false))),
        Some(after) => {
            store::tenants::save(tx, &after).await?;
            changes::record(tx, env, Change::Revoked(Subject::Tenant)).await?;
            Ok(Ok((after, true)))
        }
    }
}
