//! `ChatService.UnblockChat`: the caller's own block ends.

use plasma_kit::actor::{Actor, DeviceActor};
use plasma_kit::idempotency::Key;
use plasma_kit::ids::ChatId;
use plasma_proto::messaging::v1 as pb;
use tonic::Status;

use super::chat_change;
use crate::Messaging;
use crate::store::chats::Change;

#[tracing::instrument(name = "messaging.unblock_chat", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::UnblockChatRequest,
) -> Result<pb::UnblockChatResponse, Status> {
    let chat = ChatId::checked(&request.chat_id);
    let caller = Actor::Device(device).caller();
    let key = Key::new(caller, "UnblockChat", &request.request_id, &request);
    let change = Change::Unblocked;
    let answer = |chat| pb::UnblockChatResponse { chat: Some(chat) };
    chat_change::make(messaging, device, key, chat, change, answer).await
}
