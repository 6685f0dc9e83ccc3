//! `AccessService.GetSubscription`.

use plasma_kit::actor;
use plasma_kit::ids::SubscriptionId;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::subscribed;
use crate::Billing;
use crate::error::Error;

/// Gets a subscription that the caller may see.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::GetSubscriptionRequest>,
) -> Result<pb::GetSubscriptionResponse, Error> {
    let actor = actor::of(request)?;
    let id = SubscriptionId::checked(&request.get_ref().subscription_id);
    let found = subscribed::visible(billing, &actor, id).await?;
    let subscription = Some(subscribed::written(billing, &found).await?);
    Ok(pb::GetSubscriptionResponse { subscription })
}
