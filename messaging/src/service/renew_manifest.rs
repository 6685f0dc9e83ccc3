//! `DeviceService.RenewManifest`: an approver puts the same devices in force anew.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_proto::messaging::v1 as pb;

use super::resign_manifest;
use crate::Messaging;
use crate::domain::Change;

#[tracing::instrument(name = "messaging.renew_manifest", skip_all, fields(tenant = %caller.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    caller: DeviceActor,
    request: pb::RenewManifestRequest,
) -> Result<pb::RenewManifestResponse, Failure> {
    let change = Change::Renewal { caller: caller.device.0 };
    let account = resign_manifest::handle(messaging, caller, request.manifest, &change).await?;
    Ok(pb::RenewManifestResponse { account: Some(account) })
}
