//! `DeviceLinkingService.PostLinkingMessage`: one side leaves its next message.

use plasma_kit::actor::Actor;
use plasma_kit::ids::LinkingId;
use plasma_kit::{Failure, TenantTx, Timestamp};
use plasma_proto::messaging::v1 as pb;

use super::own_user::OwnUser;
use super::{linking_side, own_user};
use crate::Messaging;
use crate::domain::{Posting, Refusal, Side};
use crate::store;

#[tracing::instrument(name = "messaging.post_linking_message", skip_all)]
pub(super) async fn handle(
    messaging: &Messaging,
    caller: Actor,
    request: pb::PostLinkingMessageRequest,
) -> Result<pb::PostLinkingMessageResponse, Failure> {
    let own = own_user::of(&caller)?;
    let side = linking_side::of(&caller);
    let tx = messaging.db.tenant(own.claim).begin().await?;
    match post(&tx, own, side, &request, messaging.env.now()).await {
        Ok(()) => tx.commit().await?,
        Err(failure) => {
            tx.rollback().await?;
            return Err(failure);
        }
    }
    Ok(pb::PostLinkingMessageResponse {})
}

async fn post(
    tx: &TenantTx,
    own: OwnUser,
    side: Side,
    request: &pb::PostLinkingMessageRequest,
    now: Timestamp,
) -> Result<(), Failure> {
    let (id, number) = (LinkingId::checked(&request.linking_id), request.number);
    let linking = store::linkings::lock(tx, own.user, id, number).await?;
    let linking = linking.ok_or(Refusal::LinkingNotFound)?;
    linking_side::check_approver(tx, side).await?;
    let posting = linking.post(side, number, &request.ciphertext, now);
    if posting.map_err(Refusal::from)? == Posting::Keep {
        let taker = match side {
            Side::Approver(device) => Some(device),
            Side::Newcomer => None,
        };
        store::linkings::keep(tx, id, number, &request.ciphertext, taker).await?;
    }
    Ok(())
}
