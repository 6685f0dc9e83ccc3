//! `PayoutService.RecordPayout`.

use plasma_kit::actor::{self, Actor};
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::{self, Begun, Key};
use plasma_kit::ids::UserId;
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::{decline, list_payouts, require_user};
use crate::Billing;
use crate::error::Error;
use crate::payout::{self, Order};
use crate::wire::{self, AmountField};

/// Records a payout once for the request's key.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::RecordPayoutRequest>,
) -> Result<pb::RecordPayoutResponse, Status> {
    let actor = actor::key(request)?;
    let request = request.get_ref();
    let field = AmountField {
        itself: "amount",
        currency: "amount.currency_code",
        number: "amount.minor_units",
    };
    let order = Order {
        recipient: UserId::checked(&request.recipient_user_id),
        money: wire::read_money(field, request.amount.as_ref()).map_err(Error::from)?,
        advance: request.advance_minor_units,
        request_id: &request.request_id,
        reference: &request.reference,
    };
    let caller = Actor::Key(actor).caller();
    let key = Key::new(caller, "RecordPayout", &request.request_id, request);
    // Asked before the transaction, which waits for nobody; weighed within the claim.
    let known = require_user(billing, actor.tenant, order.recipient).await;
    let now = billing.now(actor.tenant).await?;
    let db = billing.db.tenant(TenantClaim::of_key(&actor));
    let claim = match idempotency::begin(&db, &billing.env, &billing.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let recorded = match known {
        Ok(()) => payout::record(claim.tx(), &billing.env, now, order).await,
        Err(error) => Err(error),
    };
    match recorded {
        Ok(payout) => {
            let payout = Some(list_payouts::written(payout));
            let response = pb::RecordPayoutResponse { payout };
            claim.commit(&response).await.map_err(Failure::from)?;
            Ok(response)
        }
        Err(error) => decline(claim, error).await,
    }
}
