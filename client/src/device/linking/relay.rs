//! The service as the relay of a linking's messages, for either side.

use std::time::Duration;

use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_linking_service_client::DeviceLinkingServiceClient;
use tokio::time::Instant;
use tonic::transport::Channel;
use uuid::Uuid;

use super::LinkingFailure;
use crate::device::Device;
use crate::device::enrollment::Enrollment;
use crate::error::Error;
use crate::id;

/// A little more than the service keeps a linking: it says itself that one is over.
const LIFE_MAX: Duration = Duration::from_secs(130);
/// The longest wait whose answer is in time for the deadline of a call.
const WAIT: prost_types::Duration = prost_types::Duration { seconds: 10, nanos: 0 };

/// Who relays for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Caller<'a> {
    NewDevice(&'a Enrollment),
    Approver(&'a Device),
}

/// One linking, as one side sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relay<'a> {
    pub(super) caller: Caller<'a>,
    pub(super) linking: Uuid,
    /// When this side has known of the linking for the first time.
    pub(super) begun: Instant,
}

impl Relay<'_> {
    /// Leaves a message for the other side.
    pub(super) async fn post(&self, number: i32, message: Vec<u8>) -> Result<(), Error> {
        let request = pb::PostLinkingMessageRequest {
            linking_id: id::format("linking", self.linking),
            number,
            ciphertext: message.into(),
        };
        let operation = |channel: Channel, request| async move {
            DeviceLinkingServiceClient::new(channel).post_linking_message(request).await
        };
        let posted = match self.caller {
            Caller::NewDevice(enrollment) => enrollment.call(request, operation).await,
            Caller::Approver(device) => device.call(request, operation).await,
        };
        posted.map(drop).map_err(in_words)
    }

    /// Waits for a message of the other side until the linking is over.
    pub(super) async fn wait_for(&self, number: i32) -> Result<Vec<u8>, Error> {
        let request = pb::AwaitLinkingMessageRequest {
            linking_id: id::format("linking", self.linking),
            number,
            wait: Some(WAIT),
        };
        let operation = |channel: Channel, request| async move {
            DeviceLinkingServiceClient::new(channel).await_linking_message(request).await
        };
        while self.begun.elapsed() < LIFE_MAX {
            let request = request.clone();
            let answer = match self.caller {
                Caller::NewDevice(enrollment) => enrollment.call(request, operation).await,
                Caller::Approver(device) => device.call(request, operation).await,
            };
            let message = answer.map_err(in_words)?.ciphertext;
            if !message.is_empty() {
                return Ok(message.to_vec());
            }
        }
        Err(LinkingFailure::Expired.into())
    }
}

fn in_words(error: Error) -> Error {
    LinkingFailure::of(&error).map_or(error, Error::Linking)
}
