//! What `BlockChat`, `UnblockChat` and `CloseChat` have in common.

use plasma_kit::actor::DeviceActor;
use plasma_kit::changes::{self, Change as Recorded};
use plasma_kit::db::TenantClaim;
use plasma_kit::events::Event;
use plasma_kit::idempotency::{self, Begun, Claim, Key};
use plasma_kit::ids::ChatId;
use plasma_kit::{Failure, StoreError};
use plasma_proto::messaging::v1 as pb;
use prost::Message;
use tonic::Status;

use super::contract;
use crate::Messaging;
use crate::domain::{Member, Refusal};
use crate::store::chats::{self, Change};

/// Changes a chat of the calling user once for each key, and tells every node.
pub(super) async fn make<R: Message + Default>(
    messaging: &Messaging,
    device: DeviceActor,
    key: Key,
    chat: ChatId,
    change: Change,
    answer: impl FnOnce(pb::Chat) -> R,
) -> Result<R, Status> {
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let claim = match idempotency::begin(&db, &messaging.env, &messaging.secrets, key).await? {
        Begun::Replay(replay) => return replay.answer(),
        Begun::Fresh(claim) => claim,
    };
    let Some(changed) =
        apply(messaging, &claim, device, chat, change).await.map_err(Failure::from)?
    else {
        let failure = Failure::from(Refusal::ChatNotFound);
        claim.decline(&failure).await.map_err(Failure::from)?;
        return Err(failure.into());
    };
    let response = answer(contract::chat(&changed));
    claim.commit(&response).await.map_err(Failure::from)?;
    messaging.events.emit(Event::ChatChanged(chat)).await;
    Ok(response)
}

/// The chat after the change; `None` where the caller has no such chat.
async fn apply(
    messaging: &Messaging,
    claim: &Claim,
    device: DeviceActor,
    chat: ChatId,
    change: Change,
) -> Result<Option<Member>, StoreError> {
    let tx = claim.tx();
    let Some(member) = chats::find(tx, device.user, chat).await? else { return Ok(None) };
    let changed = chats::apply(tx, &member, change).await?;
    if changed != member {
        changes::record(tx, &messaging.env, Recorded::Chat(chat)).await?;
    }
    Ok(Some(changed))
}
