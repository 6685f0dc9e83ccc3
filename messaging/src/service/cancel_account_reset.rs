//! `DeviceService.CancelAccountReset`: a device of the account says no.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::events::Event;
use plasma_proto::messaging::v1 as pb;

use crate::Messaging;
use crate::store;

#[tracing::instrument(
    name = "messaging.cancel_account_reset", skip_all, fields(tenant = %device.tenant)
)]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
) -> Result<pb::CancelAccountResetResponse, Failure> {
    let tx = messaging.db.tenant(TenantClaim::of_device(&device)).begin().await?;
    store::accounts::lock(&tx, device.user).await?;
    // A reset that won the race has removed the device; the reset that comes next is not its to
    // cancel.
    if !store::devices::lock(&tx, device.device).await? {
        tx.rollback().await?;
        return Err(Failure::unauthenticated());
    }
    let was_pending = store::account_resets::delete(&tx, device.user).await?;
    tx.commit().await?;
    if was_pending {
        messaging.events.emit(Event::AccountNotice(device.tenant, device.user)).await;
    }
    Ok(pb::CancelAccountResetResponse {})
}
