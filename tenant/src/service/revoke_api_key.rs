use plasma_kit::Env;
use plasma_kit::actor;
use plasma_kit::changes::{self, Change};
use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::events::{Event, Subject};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{ApiKeyId, TenantId};
use plasma_proto::tenant::v1::{RevokeApiKeyRequest, RevokeApiKeyResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::domain::api_key::ApiKey;
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse, settle};

/// Revokes a key on every node.
pub async fn handle(
    tenants: &Tenants,
    request: Request<RevokeApiKeyRequest>,
) -> Answer<RevokeApiKeyResponse> {
    let actor = actor::of(&request)?;
    let request = request.into_inner();
    let tenant = TenantId::checked(&request.tenant_id);
    let id = ApiKeyId::checked(&request.api_key_id);

    let db = tenants.administered(&actor, tenant)?;
    let key = Key::new(actor.caller(), "RevokeApiKey", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    let revoked = apply(claim.tx(), &tenants.env, id).await.map_err(refuse)?;
    let changed = matches!(revoked, Ok((_, true)));
    let outcome =
        revoked.map(|(key, _)| RevokeApiKeyResponse { api_key: Some(answer::api_key(&key)) });
    let response = settle(claim, outcome).await?;
    if changed {
        tenants.announce(Event::Revoked { tenant, subject: Subject::ApiKey(id.0) }).await;
    }
    Ok(Response::new(response))
}

/// Revokes the key, and says whether that changed anything.
async fn apply(
    tx: &TenantTx,
    env: &Env,
    id: ApiKeyId,
) -> Result<Result<(ApiKey, bool), Error>, StoreError> {
    // Held until the commit, so that of two parallel revocations one changes something.
    if store::tenants::lock(tx).await?.is_none() {
        return Ok(Err(Error::TenantNotFound));
    }
    let Some(before) = store::api_keys::load(tx, id).await? else {
        return Ok(Err(Error::ApiKeyNotFound));
    };
    let now = env.now();
    match before.revoked(now) {
        None => Ok(Ok((before, false))),
        Some(after) => {
            store::api_keys::revoke(tx, id, now).await?;
            changes::record(tx, env, Change::Revoked(Subject::ApiKey(id.0))).await?;
            Ok(Ok((after, true)))
        }
    }
}
