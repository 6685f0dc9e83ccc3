//! `AccessService.ListSubscriptions`.

use plasma_kit::Actor;
use plasma_kit::actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging::{self, Cursor};
use plasma_kit::status::Failure;
use plasma_proto::billing::v1 as pb;
use tonic::Request;

use super::subscribed;
use crate::Billing;
use crate::domain::pass::Party;
use crate::error::Error;
use crate::store::subscriptions::{self, Of};

/// Lists the subscriptions that the caller may see, newest first.
pub(super) async fn handle(
    billing: &Billing,
    request: &Request<pb::ListSubscriptionsRequest>,
) -> Result<pb::ListSubscriptionsResponse, Error> {
    let actor = actor::of(request)?;
    let request = request.get_ref();
    let (of, claim, whose) = match &actor {
        Actor::Device(device) => {
            let payer = Party { tenant: device.tenant, user: device.user };
            let whose = format!("{}/{}", device.tenant, device.user);
            (Of::Payer(payer), TenantClaim::operator(), whose)
        }
        Actor::Key(key) => {
            (Of::Seller(key.tenant), TenantClaim::of_key(key), key.tenant.to_string())
        }
        Actor::Anyone | Actor::Operator | Actor::Enrollment(_) => {
            return Err(Failure::principal_not_allowed().into());
        }
    };
    let list = format!("subscriptions/{whose}/{}", request.state);
    let cursor = paging::cursor(&billing.secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = billing.db.tenant(claim);
    let rows = subscriptions::list(&db, of, request.state, cursor, size).await?;
    let (page, next_page_token) =
        paging::page(&billing.secrets, &list, rows, size, |subscription| Cursor {
            key: subscription.created_at.0,
            id: subscription.id.0,
        });
    let mut subscriptions = Vec::with_capacity(page.len());
    for subscription in &page {
        subscriptions.push(subscribed::written(billing, subscription).await?);
    }
    Ok(pb::ListSubscriptionsResponse { subscriptions, next_page_token })
}
