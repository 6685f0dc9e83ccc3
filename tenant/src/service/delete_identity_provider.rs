use plasma_kit::actor;
use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::events::Event;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{IdentityProviderId, TenantId};
use plasma_proto::tenant::v1::{DeleteIdentityProviderRequest, DeleteIdentityProviderResponse};
use tonic::{Request, Response};

use super::Answer;
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse, settle};

/// Deletes an identity provider. Users and sessions that it vouched for stay.
pub async fn handle(
    tenants: &Tenants,
    request: Request<DeleteIdentityProviderRequest>,
) -> Answer<DeleteIdentityProviderResponse> {
    let actor = actor::of(&request)?;
    let request = request.into_inner();
    let tenant = TenantId::checked(&request.tenant_id);
    let id = IdentityProviderId::checked(&request.identity_provider_id);

    let db = tenants.administered(&actor, tenant)?;
    let key = Key::new(actor.caller(), "DeleteIdentityProvider", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    let deleted = apply(claim.tx(), id).await.map_err(refuse)?;
    let response = settle(claim, deleted).await?;
    tenants.announce(Event::TenantChanged(tenant)).await;
    Ok(Response::new(response))
}

async fn apply(
    tx: &TenantTx,
    id: IdentityProviderId,
) -> Result<Result<DeleteIdentityProviderResponse, Error>, StoreError> {
    if store::tenants::lock(tx).await?.is_none() {
        return Ok(Err(Error::TenantNotFound));
    }
    let deleted = store::identity_providers::delete(tx, id).await?;
    Ok(deleted.then_some(DeleteIdentityProviderResponse {}).ok_or(Error::IdentityProviderNotFound))
}
