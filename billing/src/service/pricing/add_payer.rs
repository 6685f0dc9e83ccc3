//! `PricingService.AddPayer`.

use plasma_kit::Actor;
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::db::TenantTx;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::{PayerGroupId, TenantId, UserId};
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::written;
use crate::Billing;
use crate::domain::pass::Party;
use crate::error::{Error, Object, Refusal};
use crate::publication;
use crate::service::conclude;
use crate::store::payers::Payer;
use crate::store::{payer_groups, payers};

/// Puts a payer, or everybody of a platform, into a group.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::AddPayerRequest>,
) -> Result<pb::AddPayerResponse, Status> {
    let key = actor::key(request)?;
    let request = request.get_ref();
    let (own, group) = (key.tenant, PayerGroupId::checked(&request.payer_group_id));
    let payer = Payer {
        id: billing.env.uuid(),
        tenant: TenantId::checked_optional(&request.payer_tenant_id).unwrap_or(own),
        user: UserId::checked_optional(&request.payer_user_id),
        created_at: billing.env.now(),
    };
    let db = billing.db.tenant(TenantClaim::of_key(&key));
    // Asked before the transaction, which waits for nobody; weighed within the claim.
    let known = match payer.user {
        Some(user) => {
            publication::require_payer(billing, own, Party { tenant: payer.tenant, user }).await
        }
        None => Ok(()),
    };
    let key = Key::new(Actor::Key(key).caller(), "AddPayer", &request.request_id, request);
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let added = match known {
        Ok(()) => add(claim.tx(), group, payer).await,
        Err(error) => Err(error),
    };
    let response = added.map(|payer| pb::AddPayerResponse { payer: Some(written::payer(&payer)) });
    conclude(claim, response).await
}

async fn add(tx: &TenantTx, group: PayerGroupId, payer: Payer) -> Result<Payer, Error> {
    if !payer_groups::hold(tx, group).await? {
        return Err(Refusal::NotFound(Object::PayerGroup).into());
    }
    Ok(payers::put(tx, group, payer).await?)
}
