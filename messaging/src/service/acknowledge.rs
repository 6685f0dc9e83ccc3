//! `MessageService.Acknowledge`: a device has processed and saved envelopes.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::EnvelopeId;
use plasma_proto::messaging::v1 as pb;

use crate::Messaging;

#[tracing::instrument(level = "debug", name = "messaging.acknowledge", skip_all)]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::AcknowledgeRequest,
) -> Result<pb::AcknowledgeResponse, Failure> {
    let envelopes = request.envelope_ids.iter().map(|id| EnvelopeId::checked(id)).collect();
    messaging.delivery.acknowledge((device.tenant, device.device), envelopes).await?;
    Ok(pb::AcknowledgeResponse {})
}
