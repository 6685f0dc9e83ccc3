//! `DeviceService.GetAccount`: the signed device list of a user.

use plasma_kit::Failure;
use plasma_kit::actor::Actor;
use plasma_kit::db::TenantClaim;
use plasma_proto::messaging::v1 as pb;

use super::{contract, own_user};
use crate::Messaging;
use crate::directory::PeerScope;
use crate::domain::Refusal;
use crate::store;

#[tracing::instrument(name = "messaging.get_account", skip_all)]
pub(super) async fn handle(
    messaging: &Messaging,
    caller: Actor,
    request: pb::GetAccountRequest,
) -> Result<pb::GetAccountResponse, Failure> {
    let own = own_user::of(&caller)?;
    let user = contract::user(request.user.as_ref());
    let (tenant, user) = match caller {
        _ if user == (own.tenant, own.user) => user,
        Actor::Device(device) => {
            let db = messaging.db.tenant(TenantClaim::of_device(&device));
            let member = store::chats::between(&db, device.user, user).await?;
            let peer = PeerScope::of_member(&member.ok_or(Refusal::UserNotFound)?);
            (peer.tenant(), peer.user())
        }
        // Whoever is being enrolled has no chats yet.
        _ => return Err(Refusal::UserNotFound.into()),
    };
    let account = messaging.directory.account_state(tenant, user, request.after_epoch).await?;
    Ok(pb::GetAccountResponse { account: Some(account) })
}
