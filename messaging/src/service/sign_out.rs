//! `SessionService.SignOut`: ends every token and stream of a device.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::changes::{self, Change};
use plasma_kit::db::TenantClaim;
use plasma_kit::events::{Event, Subject};
use plasma_proto::messaging::v1 as pb;

use crate::Messaging;
use crate::store;

#[tracing::instrument(name = "messaging.sign_out", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
) -> Result<pb::SignOutResponse, Failure> {
    let subject = Subject::Device(device.device);
    let tx = messaging.db.tenant(TenantClaim::of_device(&device)).begin().await?;
    store::devices::end_tokens(&tx, device.device, messaging.env.now()).await?;
    changes::record(&tx, &messaging.env, Change::Revoked(subject)).await?;
    tx.commit().await?;
    messaging.events.emit(Event::Revoked { tenant: device.tenant, subject }).await;
    Ok(pb::SignOutResponse {})
}
