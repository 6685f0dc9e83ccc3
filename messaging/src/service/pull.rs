//! `MessageService.Pull`: what is queued, without a stream.

use std::time::Duration;

use plasma_kit::actor::DeviceActor;
use plasma_kit::{Failure, convert, paging};
use plasma_proto::messaging::v1 as pb;

use crate::Messaging;

#[tracing::instrument(name = "messaging.pull", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::PullRequest,
) -> Result<pb::PullResponse, Failure> {
    let size = usize::try_from(paging::size(request.page_size)).unwrap_or_default();
    let wait = request.wait.as_ref().map_or(Duration::ZERO, convert::span);
    let key = (device.tenant, device.device);
    let (envelopes, has_more) = messaging.delivery.pull(key, size, wait).await?;
    // After the wait: a device that was removed meanwhile is told so.
    let pending_reset = messaging.delivery.pending_reset(key).await?;
    Ok(pb::PullResponse { envelopes, has_more, pending_reset })
}
