//! `AccessService.UndoCancellation`.

use plasma_kit::actor;
use plasma_kit::idempotency::Key;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::subscribed;
use crate::Billing;
use crate::subscription::Decision;

/// Undoes a cancellation while the period still runs.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::UndoCancellationRequest>,
) -> Result<pb::UndoCancellationResponse, Status> {
    let actor = actor::of(request)?;
    let request = request.get_ref();
    let key = Key::new(actor.caller(), "UndoCancellation", &request.request_id, request);
    let decision = (request.subscription_id.as_str(), Decision::UndoCancellation);
    subscribed::change(billing, actor, key, decision, |subscription| pb::UndoCancellationResponse {
        subscription: Some(subscription),
    })
    .await
}
