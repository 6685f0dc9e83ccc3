//! `ChatService.CloseChat`: neither side sends in it again.

use plasma_kit::actor::{Actor, DeviceActor};
use plasma_kit::idempotency::Key;
use plasma_kit::ids::ChatId;
use plasma_proto::messaging::v1 as pb;
use tonic::Status;

use super::chat_change;
use crate::Messaging;
use crate::store::chats::Change;

#[tracing::instrument(name = "messaging.close_chat", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::CloseChatRequest,
) -> Result<pb::CloseChatResponse, Status> {
    let chat = ChatId::checked(&request.chat_id);
    let caller = Actor::Device(device).caller();
    let key = Key::new(caller, "CloseChat", &request.request_id, &request);
    let change = Change::Closed(messaging.env.now());
    let answer = |chat| pb::CloseChatResponse { chat: Some(chat) };
    chat_change::make(messaging, device, key, chat, change, answer).await
}
