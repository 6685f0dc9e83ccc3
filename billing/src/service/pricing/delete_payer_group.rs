//! `PricingService.DeletePayerGroup`.

use plasma_kit::Actor;
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::db::TenantTx;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::PayerGroupId;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use crate::Billing;
use crate::error::{Error, Refusal};
use crate::service::conclude;
use crate::store::payer_groups;

/// Deletes a group without payers, if it is there.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::DeletePayerGroupRequest>,
) -> Result<pb::DeletePayerGroupResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let group = PayerGroupId::checked(&request.payer_group_id);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let key = Key::new(Actor::Key(key).caller(), "DeletePayerGroup", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let deleted = delete(claim.tx(), group).await;
    conclude(claim, deleted.map(|()| pb::DeletePayerGroupResponse {})).await
}

async fn delete(tx: &TenantTx, group: PayerGroupId) -> Result<(), Error> {
    if payer_groups::hold(tx, group).await? && !payer_groups::delete(tx, group).await? {
        return Err(Refusal::PayerGroupNotEmpty.into());
    }
    Ok(())
}
