use plasma_kit::actor;
use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{ApiKeyId, TenantId};
use plasma_proto::tenant::v1::{CreateApiKeyRequest, CreateApiKeyResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::domain::api_key::{ACTIVE_KEYS_MAX, ApiKey, Secret};
use crate::domain::name;
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse, settle};

/// Creates a key. The secret leaves in this answer, and in its sealed copy for a retry.
pub async fn handle(
    tenants: &Tenants,
    request: Request<CreateApiKeyRequest>,
) -> Answer<CreateApiKeyResponse> {
    let actor = actor::of(&request)?;
    let request = request.into_inner();
    let tenant = TenantId::checked(&request.tenant_id);
    let secret = Secret::new(tenants.env.random());
    let api_key = parse(tenants, &request, &secret).map_err(refuse)?;

    let db = tenants.administered(&actor, tenant)?;
    let key = Key::new(actor.caller(), "CreateApiKey", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    let created = apply(claim.tx(), &api_key, &secret).await.map_err(refuse)?;
    let outcome = created.map(|()| CreateApiKeyResponse {
        api_key: Some(answer::api_key(&api_key)),
        secret: secret.reveal().to_owned(),
    });
    Ok(Response::new(settle(claim, outcome).await?))
}

fn parse(
    tenants: &Tenants,
    request: &CreateApiKeyRequest,
    secret: &Secret,
) -> Result<ApiKey, Error> {
    Ok(ApiKey {
        id: ApiKeyId(tenants.env.uuid()),
        secret_prefix: secret.prefix().to_owned(),
        label: name::parse(&request.label).ok_or_else(|| Error::invalid("label", name::RULE))?,
        scopes: answer::scopes(request),
        create_time: tenants.env.now(),
        revoke_time: None,
    })
}

async fn apply(
    tx: &TenantTx,
    key: &ApiKey,
    secret: &Secret,
) -> Result<Result<(), Error>, StoreError> {
    // Held until the commit, so that parallel creations count each other.
    if store::tenants::lock(tx).await?.is_none() {
        return Ok(Err(Error::TenantNotFound));
    }
    if store::api_keys::count_active(tx).await? >= ACTIVE_KEYS_MAX {
        return Ok(Err(Error::TooManyApiKeys));
    }
    store::api_keys::insert(tx, key, secret.hash()).await?;
    Ok(Ok(()))
}
