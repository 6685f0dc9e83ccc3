//! `ExternalWalletService.SetWalletProvider`.

use plasma_kit::actor;
use plasma_kit::db::{TenantClaim, TenantTx};
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};
use zeroize::Zeroizing;

use super::decline;
use crate::Billing;
use crate::error::{Error, Refusal};
use crate::external;
use crate::external::wire;
use crate::store::external::operations;
use crate::store::external::providers::{self, Provider};

/// Calls that one node has under way where the tenant does not say.
const CONCURRENCY: u32 = 16;

/// Sets how the tenant's own wallet is called.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::SetWalletProviderRequest>,
) -> Result<pb::SetWalletProviderResponse, Status> {
    let actor = actor::key(request)?;
    let request = request.get_ref();
    let provider = read(billing, request).map_err(Error::from)?;
    let db = billing.db.tenant(TenantClaim::of_key(&actor));
    let caller = plasma_kit::Actor::Key(actor).caller();
    let key = Key::new(caller, "SetWalletProvider", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    if let Err(error) = set(billing, claim.tx(), &provider).await {
        return decline(claim, error).await;
    }
    let settings = Some(wire::wallet_provider(&provider));
    let response = pb::SetWalletProviderResponse { settings };
    claim.commit(&response).await.map_err(Failure::from)?;
    billing.external.forget(actor.tenant);
    Ok(response)
}

fn read(billing: &Billing, request: &pb::SetWalletProviderRequest) -> Result<Provider, Refusal> {
    let url = external::read_url(&request.url, billing.external.policy.loopback);
    let url = url.ok_or(Refusal::Invalid {
        field: "url",
        rule: "must be https://host or https://host:port at a public address",
    })?;
    let visible = request.bearer_secret.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible {
        let rule = "must be visible ASCII characters";
        return Err(Refusal::Invalid { field: "bearer_secret", rule });
    }
    let concurrency_max = match request.concurrency_max {
        0 => CONCURRENCY,
        asked => asked.unsigned_abs(),
    };
    Ok(Provider {
        url,
        secret: Zeroizing::new(request.bearer_secret.clone()),
        concurrency_max,
        updated_at: billing.env.now(),
    })
}

/// Saves it. Open operations are at the provider that they began at.
async fn set(billing: &Billing, tx: &TenantTx, provider: &Provider) -> Result<(), Error> {
    let before = providers::lock(tx, true).await?;
    let moves = before.is_some_and(|before| before != provider.url);
    if moves && operations::any_open(tx).await? {
        return Err(Refusal::OperationsOpen.into());
    }
    Ok(providers::save(tx, &billing.secrets, provider).await?)
}
