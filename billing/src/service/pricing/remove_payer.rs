//! `PricingService.RemovePayer`.

use plasma_kit::Actor;
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::db::TenantTx;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{PayerGroupId, TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::service::conclude;
use crate::store::{payer_groups, payers};

/// Takes a payer, or everybody of a platform, out of a group.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::RemovePayerRequest>,
) -> Result<pb::RemovePayerResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let group = PayerGroupId::checked(&request.payer_group_id);
    let tenant = TenantId::checked_optional(&request.payer_tenant_id).unwrap_or(key.tenant);
    let user = UserId::checked_optional(&request.payer_user_id);
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    let key = Key::new(Actor::Key(key).caller(), "RemovePayer", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let removed = remove(claim.tx(), group, (tenant, user)).await;
    conclude(claim, removed.map(|()| pb::RemovePayerResponse {})).await
}

async fn remove(
    tx: &TenantTx,
    group: PayerGroupId,
    (tenant, user): (TenantId, Option<UserId>),
) -> Result<(), Error> {
    if payer_groups::get(tx, group).await?.is_none() {
        return Err(Refusal::NotFound(Object::PayerGroup).into());
    }
    Ok(payers::remove(tx, group, tenant, user).await?)
}
