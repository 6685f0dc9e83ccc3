//! `AccessService.AcceptPriceChange`.

use plasma_kit::actor;
use plasma_kit::idempotency::Key;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::subscribed;
use crate::error::{Error, Refusal};
use crate::subscription::Decision;
use crate::{Billing, wire};

/// Accepts another price for a subscription, from the next renewal on.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::AcceptPriceChangeRequest>,
) -> Result<pb::AcceptPriceChangeResponse, Status> {
    let actor = actor::of(request)?;
    let request = request.get_ref();
    let accepted = request.accepted_price.clone().unwrap_or_default();
    let accepted = wire::read_accepted(&accepted).map_err(Error::from)?;
    if accepted.trial {
        let rule = "must be false: a subscriber has no trial";
        let refusal = Refusal::Invalid { field: "accepted_price.trial", rule };
        return Err(Error::from(refusal).into());
    }
    let key = Key::new(actor.caller(), "AcceptPriceChange", &request.request_id, request);
    let decision = (request.subscription_id.as_str(), Decision::Accept(accepted));
    subscribed::change(billing, actor, key, decision, |subscription| {
        pb::AcceptPriceChangeResponse { subscription: Some(subscription) }
    })
    .await
}
