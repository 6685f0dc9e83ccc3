//! `AccessService.RefundCharge`.

use plasma_kit::Actor;
use plasma_kit::actor::{self, KeyActor};
use plasma_kit::db::TenantClaim;
use plasma_kit::events::Event;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::ChargeId;
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::decline;
use crate::Billing;
use crate::error::{Error, Object, Refusal};
use crate::refund::{self, Order};
use crate::store::{charges, refunds};
use crate::wire::{self, AmountField};

/// Gives a charge back, wholly or in part.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::RefundChargeRequest>,
) -> Result<pb::RefundChargeResponse, Status> {
    let actor = actor::key(request)?;
    let request = request.get_ref();
    let order = match order(billing, &actor, request).await {
        Ok(order) => Ok(order),
        // Not something to remember: it says the same of the same request by itself.
        Err(Error::Refused(refusal @ Refusal::Invalid { .. })) => {
            return Err(Error::Refused(refusal).into());
        }
        Err(error) => Err(error),
    };
    let now = billing.now(actor.tenant).await?;
    let key = Key::new(Actor::Key(actor).caller(), "RefundCharge", &request.request_id, request);
    let db = billing.db.tenant(TenantClaim::of_key(&actor));
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let made = match &order {
        Ok(order) => refund::make(billing, claim.tx(), order, now).await,
        Err(_) => Err(Refusal::NotFound(Object::Charge).into()),
    };
    let made = match made {
        Ok(made) => made,
        Err(error) => return decline(claim, error).await,
    };
    let row = refunds::Row {
        id: made.id,
        charge: made.charge.id,
        ordinal: made.ordinal,
        currency: made.charge.money.currency().code().to_owned(),
        given: made.given,
        refunded: made.refunded,
        ended_access: made.ended_access,
        reference: request.reference.clone(),
        created_at: made.created_at,
    };
    let response = pb::RefundChargeResponse { refund: Some(wire::refund(&row)) };
    claim.commit(&response).await.map_err(Failure::from)?;
    billing.due.notify_one();
    billing.settle_now();
    if made.ended_access {
        billing.events.emit(Event::ChatChanged(made.charge.obligation.chat)).await;
    }
    Ok(response)
}

async fn order<'a>(
    billing: &Billing,
    actor: &KeyActor,
    request: &'a pb::RefundChargeRequest,
) -> Result<Order<'a>, Error> {
    let db = billing.db.tenant(TenantClaim::of_key(actor));
    let charge = charges::get(&db, ChargeId::checked(&request.charge_id)).await?;
    let field = AmountField {
        itself: "amount",
        currency: "amount.currency_code",
        number: "amount.minor_units",
    };
    let money = match &request.amount {
        Some(amount) => Some(wire::read_money(field, Some(amount))?),
        None => None,
    };
    let charge = charge.ok_or(Refusal::NotFound(Object::Charge))?;
    if money.is_some_and(|money| money.currency() != charge.money.currency()) {
        let rule = "must be the charge's currency";
        return Err(Refusal::Invalid { field: "amount.currency_code", rule }.into());
    }
    Ok(Order { charge, money, end_access: request.end_access, reference: &request.reference })
}
