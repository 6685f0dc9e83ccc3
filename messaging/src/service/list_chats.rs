//! `ChatService.ListChats`: the calling user's chats, newest first.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::paging::{self, Cursor};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::domain::Member;
use crate::store;

#[tracing::instrument(name = "messaging.list_chats", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::ListChatsRequest,
) -> Result<pb::ListChatsResponse, Failure> {
    let secrets = &messaging.secrets;
    let list = format!("chats {} {}", device.tenant, device.user);
    let after = paging::cursor(secrets, &list, &request.page_token)?;
    let size = paging::size(request.page_size);
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let rows = store::chats::list(&db, device.user, after, size + 1).await?;
    let (rows, next_page_token) = paging::page(secrets, &list, rows, size, cursor);
    let chats = rows.iter().map(contract::chat).collect();
    Ok(pb::ListChatsResponse { chats, next_page_token })
}

fn cursor(member: &Member) -> Cursor {
    Cursor { key: member.created_at.0, id: member.chat.0 }
}
