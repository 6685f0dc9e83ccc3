//! `MessageService.Receive`: the stream of a device.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;

use crate::Messaging;
use crate::delivery::EnvelopeStream;

#[tracing::instrument(name = "messaging.receive", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
) -> Result<EnvelopeStream, Failure> {
    messaging.delivery.receive(device).await
}
