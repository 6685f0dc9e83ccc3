use plasma_kit::actor;
use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::events::Event;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{IdentityProviderId, TenantId};
use plasma_proto::tenant::v1::{CreateIdentityProviderRequest, CreateIdentityProviderResponse};
use tonic::{Request, Response};

use super::{Answer, answer};
use crate::domain::identity_provider::{IdentityProvider, PROVIDERS_MAX};
use crate::domain::key_set::KeySet;
use crate::domain::name;
use crate::error::Error;
use crate::store;
use crate::tenants::{Tenants, refuse, settle};

/// Registers an identity provider.
pub async fn handle(
    tenants: &Tenants,
    request: Request<CreateIdentityProviderRequest>,
) -> Answer<CreateIdentityProviderResponse> {
    let actor = actor::of(&request)?;
    let request = request.into_inner();
    let tenant = TenantId::checked(&request.tenant_id);
    let db = tenants.administered(&actor, tenant)?;
    let provider = parse(tenants, &request).map_err(refuse)?;

    let key = Key::new(actor.caller(), "CreateIdentityProvider", &request.request_id, &request);
    let claim = match idempotency::begin(&db, &tenants.env, &tenants.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer().map(Response::new),
        Begun::Fresh(claim) => claim,
    };
    let created = apply(claim.tx(), &provider).await.map_err(refuse)?;
    let outcome = created.map(|()| CreateIdentityProviderResponse {
        identity_provider: Some(answer::identity_provider(&provider)),
    });
    let response = settle(claim, outcome).await?;
    tenants.announce(Event::TenantChanged(tenant)).await;
    Ok(Response::new(response))
}

fn parse(
    tenants: &Tenants,
    request: &CreateIdentityProviderRequest,
) -> Result<IdentityProvider, Error> {
    for (field, text) in [("issuer", &request.issuer), ("audience", &request.audience)] {
        if !name::is_exact(text) {
            return Err(Error::invalid(field, name::EXACT_RULE));
        }
    }
    Ok(IdentityProvider {
        id: IdentityProviderId(tenants.env.uuid()),
        issuer: request.issuer.clone(),
        audience: request.audience.clone(),
        keys: KeySet::parse(&request.jwks_json)
            .map_err(|error| Error::invalid("jwks_json", error.to_string()))?,
        create_time: tenants.env.now(),
    })
}

async fn apply(
    tx: &TenantTx,
    provider: &IdentityProvider,
) -> Result<Result<(), Error>, StoreError> {
    // Held until the commit, so that parallel registrations see each other.
    if store::tenants::lock(tx).await?.is_none() {
        return Ok(Err(Error::TenantNotFound));
    }
    let others = store::identity_providers::list(tx).await?;
    if others.iter().any(|other| other.issuer == provider.issuer) {
        return Ok(Err(Error::IssuerTaken));
    }
    if u64::try_from(others.len()).is_ok_and(|count| count >= PROVIDERS_MAX) {
        return Ok(Err(Error::TooManyIdentityProviders));
    }
    store::identity_providers::insert(tx, provider).await?;
    Ok(Ok(()))
}
