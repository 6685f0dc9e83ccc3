//! `MessageService.Receive`: the stream of a device.

use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::connect_response::Event;
use plasma_proto::messaging::v1::receive_response::Event as ReceiveEvent;

use crate::Messaging;
use crate::delivery::EventStream;

#[tracing::instrument(name = "messaging.receive", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
) -> Result<EventStream, Failure> {
    messaging.delivery.receive(device).await
}

/// An event as `Receive` wraps it. Only `Connect` has answers to calls.
pub(super) fn response(event: Event) -> pb::ReceiveResponse {
    let event = match event {
        Event::Hello(hello) => Some(ReceiveEvent::Hello(hello)),
        Event::Envelope(envelope) => Some(ReceiveEvent::Envelope(envelope)),
        Event::QueueEmpty(queue_empty) => Some(ReceiveEvent::QueueEmpty(queue_empty)),
        Event::Heartbeat(heartbeat) => Some(ReceiveEvent::Heartbeat(heartbeat)),
        Event::Resume(resume) => Some(ReceiveEvent::Resume(resume)),
        Event::Result(_) => None,
    };
    pb::ReceiveResponse { event }
}
