//! `LinkService.ResolveLink`: who owns a link, and what a chat with them costs.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::rate::RateLimit;
use plasma_proto::messaging::v1 as pb;

use super::link_target;
use crate::Messaging;
use crate::domain::UserKey;
use crate::store;

#[tracing::instrument(name = "messaging.resolve_link", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    limit: &RateLimit<UserKey>,
    device: DeviceActor,
    request: pb::ResolveLinkRequest,
) -> Result<pb::ResolveLinkResponse, Failure> {
    let caller = (device.tenant, device.user);
    limit.take_everywhere(caller).await?;
    let target = link_target::follow(messaging, device, &request.link_token).await?;
    let (tenant, user) = target.owner();
    let owner = messaging.directory.account_state(tenant, user, 0).await?;
    let quote = messaging.access.quote(caller, target.owner()).await?;
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let chat = store::chats::between(&db, device.user, target.owner()).await?;
    let pass = match &chat {
        Some(member) => messaging.access.active_pass(member.chat).await?,
        None => None,
    };
    Ok(pb::ResolveLinkResponse {
        owner: Some(owner),
        platform_display_name: target.terms.display_name,
        quote: Some(quote),
        chat_id: chat.map(|member| member.chat.to_string()).unwrap_or_default(),
        pass,
    })
}
