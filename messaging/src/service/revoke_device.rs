//! `DeviceService.RevokeDevice`: an approver removes one device.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_proto::messaging::v1 as pb;

use super::resign_manifest;
use crate::Messaging;
use crate::domain::Change;

#[tracing::instrument(name = "messaging.revoke_device", skip_all, fields(tenant = %caller.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    caller: DeviceActor,
    request: pb::RevokeDeviceRequest,
) -> Result<pb::RevokeDeviceResponse, Failure> {
    let change = Change::Removal { caller: caller.device.0 };
    let account = resign_manifest::handle(messaging, caller, request.manifest, &change).await?;
    Ok(pb::RevokeDeviceResponse { account: Some(account) })
}
