//! `ExternalWalletService.StartReconciliation`.

use plasma_kit::actor;
use plasma_kit::convert;
use plasma_kit::db::{StoreError, TenantClaim, TenantTx};
use plasma_kit::env::Timestamp;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::decline;
use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::external::reconcile::{DAY, day_of};
use crate::external::wire;
use crate::store::external::reconciliations::Reconciliation;
use crate::store::external::{providers, reconciliations};

/// Asks for the reconciliation of a day.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::StartReconciliationRequest>,
) -> Result<pb::StartReconciliationResponse, Status> {
    let actor = actor::key(request)?;
    let request = request.get_ref();
    let day = day_of(request.day_time.as_ref().map_or(Timestamp(0), convert::moment));
    if day.plus(DAY) > billing.env.now() {
        let refusal =
            Refusal::Invalid { field: "day_time", rule: "must be in a day that has ended" };
        return Err(Error::from(refusal).into());
    }
    let db = billing.db.tenant(TenantClaim::of_key(&actor));
    let caller = plasma_kit::Actor::Key(actor).caller();
    let key = Key::new(caller, "StartReconciliation", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    match ask(billing, claim.tx(), day).await {
        Ok(asked) => {
            let reconciliation = Some(wire::reconciliation(&asked));
            let response = pb::StartReconciliationResponse { reconciliation };
            claim.commit(&response).await.map_err(Failure::from)?;
            billing.external.wake_days.notify_one();
            Ok(response)
        }
        Err(error) => decline(claim, error).await,
    }
}

async fn ask(billing: &Billing, tx: &TenantTx, day: Timestamp) -> Result<Reconciliation, Error> {
    providers::lock(tx, false).await?.ok_or(Refusal::NotFound(Object::WalletProvider))?;
    reconciliations::ask(tx, billing.env.uuid(), day, billing.env.now(), true).await?;
    let asked = reconciliations::of_day(tx, day).await?;
    Ok(asked.ok_or_else(|| StoreError::Inconsistent("a day that was asked for".to_owned()))?)
}
