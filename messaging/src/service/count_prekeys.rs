//! `KeyService.CountPrekeys`: how many one-time keys the calling device has left.

use plasma_identity::PrekeyRole;
use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_proto::messaging::v1 as pb;

use crate::Messaging;
use crate::store::prekeys::count_left;

#[tracing::instrument(name = "messaging.count_prekeys", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
) -> Result<pb::CountPrekeysResponse, Failure> {
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    Ok(pb::CountPrekeysResponse {
        one_time_prekey_count: count_left(&db, device.device, PrekeyRole::OneTimeEc).await?,
        one_time_kem_prekey_count: count_left(&db, device.device, PrekeyRole::OneTimeKem).await?,
    })
}
