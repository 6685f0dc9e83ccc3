//! `ExternalWalletService.RemoveWalletProvider`.

use plasma_kit::actor;
use plasma_kit::db::{TenantClaim, TenantTx};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::decline;
use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::store::external::{operations, providers};

/// Removes the tenant's own wallet.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::RemoveWalletProviderRequest>,
) -> Result<pb::RemoveWalletProviderResponse, Status> {
    let actor = actor::key(request)?;
    let request = request.get_ref();
    let db = billing.db.tenant(TenantClaim::of_key(&actor));
    let caller = plasma_kit::Actor::Key(actor).caller();
    let key = Key::new(caller, "RemoveWalletProvider", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    if let Err(error) = remove(claim.tx()).await {
        return decline(claim, error).await;
    }
    let response = pb::RemoveWalletProviderResponse {};
    claim.commit(&response).await.map_err(Failure::from)?;
    billing.external.forget(actor.tenant);
    Ok(response)
}

/// Removes it while no operation can begin.
async fn remove(tx: &TenantTx) -> Result<(), Error> {
    providers::lock(tx, true).await?.ok_or(Refusal::NotFound(Object::WalletProvider))?;
    if operations::any_open(tx).await? {
        return Err(Refusal::OperationsOpen.into());
    }
    Ok(providers::remove(tx).await?)
}
