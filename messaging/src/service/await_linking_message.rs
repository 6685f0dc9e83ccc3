//! `DeviceLinkingService.AwaitLinkingMessage`: one side waits for a message of the other.

use std::time::Duration;

use plasma_kit::actor::Actor;
use plasma_kit::ids::LinkingId;
use plasma_kit::rate::RateLimit;
use plasma_kit::{Failure, convert};
use plasma_proto::messaging::v1 as pb;
use tokio::time::Instant;

use super::{linking_side, own_user};
use crate::Messaging;
use crate::domain::{Refusal, UserKey};
use crate::store;

/// How often the database is asked: the other side may be on any node.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[tracing::instrument(name = "messaging.await_linking_message", skip_all)]
pub(super) async fn handle(
    messaging: &Messaging,
    limit: &RateLimit<UserKey>,
    caller: Actor,
    request: pb::AwaitLinkingMessageRequest,
) -> Result<pb::AwaitLinkingMessageResponse, Failure> {
    let own = own_user::of(&caller)?;
    limit.take_everywhere((own.tenant, own.user)).await?;
    let side = linking_side::of(&caller);
    let (id, number) = (LinkingId::checked(&request.linking_id), request.number);
    let db = messaging.db.tenant(own.claim);
    let wait = request.wait.as_ref().map_or(Duration::ZERO, convert::span);
    let deadline = Instant::now() + wait;
    loop {
        let linking = store::linkings::find(&db, own.user, id, number).await?;
        let linking = linking.ok_or(Refusal::LinkingNotFound)?;
        let message = linking.take(side, number, messaging.env.now()).map_err(Refusal::from)?;
        let now = Instant::now();
        if message.is_some() || now >= deadline || messaging.delivery.is_draining() {
            let ciphertext = message.unwrap_or_default().into();
            return Ok(pb::AwaitLinkingMessageResponse { ciphertext });
        }
        tokio::time::sleep_until(deadline.min(now + POLL_INTERVAL)).await;
    }
}
