//! `ChatService.GetChat`: one chat of the calling user.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::ChatId;
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::domain::Refusal;
use crate::store;

#[tracing::instrument(name = "messaging.get_chat", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::GetChatRequest,
) -> Result<pb::GetChatResponse, Failure> {
    let chat = ChatId::checked(&request.chat_id);
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let member = store::chats::find(&db, device.user, chat).await?;
    let member = member.ok_or(Refusal::ChatNotFound)?;
    let pass = messaging.access.active_pass(chat).await?;
    Ok(pb::GetChatResponse { chat: Some(contract::chat(&member)), pass })
}
