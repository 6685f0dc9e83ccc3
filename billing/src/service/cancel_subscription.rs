//! `AccessService.CancelSubscription`.

use plasma_kit::actor;
use plasma_kit::idempotency::Key;
use plasma_proto::billing::v1 as pb;
use tonic::{Request, Status};

use super::subscribed;
use crate::Billing;
use crate::subscription::Decision;

/// Ends a subscription with the period that runs.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::CancelSubscriptionRequest>,
) -> Result<pb::CancelSubscriptionResponse, Status> {
    let actor = actor::of(request)?;
    let request = request.get_ref();
    let key = Key::new(actor.caller(), "CancelSubscription", &request.request_id, request);
    let decision = (request.subscription_id.as_str(), Decision::Cancel);
    subscribed::change(billing, actor, key, decision, |subscription| {
        pb::CancelSubscriptionResponse { subscription: Some(subscription) }
    })
    .await
}
