//! `DeviceService.GetAccount`: the signed device list of a user.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::directory::PeerScope;
use crate::domain::Refusal;
use crate::store;

#[tracing::instrument(name = "messaging.get_account", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::GetAccountRequest,
) -> Result<pb::GetAccountResponse, Failure> {
    let user = contract::user(request.user.as_ref());
    let scope = if user == (device.tenant, device.user) {
        PeerScope::own(&device)
    } else {
        let db = messaging.db.tenant(TenantClaim::of_device(&device));
        let member = store::chats::between(&db, device.user, user).await?;
        PeerScope::of_member(&member.ok_or(Refusal::UserNotFound)?)
    };
    let after = request.after_epoch;
    let account = messaging.directory.account_state(scope.tenant(), scope.user(), after).await?;
    Ok(pb::GetAccountResponse { account: Some(account) })
}
