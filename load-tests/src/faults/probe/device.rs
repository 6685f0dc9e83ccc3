//! One device without encryption, of which every call can be seen.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use plasma_proto::id;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_proto::messaging::v1::receive_response::Event;
use plasma_proto::messaging::v1::send_response::Outcome;
use tokio::time::{Instant, timeout, timeout_at};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use crate::enrollment::Enrolled;

/// How long anything may take that must happen.
pub(super) const LIVENESS: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_millis(50);

/// A device.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) enrolled: Enrolled,
    messages: MessageServiceClient<Channel>,
}

impl Device {
    pub(super) fn new(enrolled: Enrolled, channel: Channel) -> Self {
        Self { enrolled, messages: MessageServiceClient::new(channel) }
    }

    /// Sends, and sends the same again while the service is busy.
    pub(super) async fn send(
        &self,
        chat: &str,
        to: &Enrolled,
        message: u128,
    ) -> Result<pb::DeliveryState, Status> {
        patiently(|| self.send_once(chat, to, message)).await
    }

    /// Sends once, whatever becomes of it.
    pub(super) async fn send_once(
        &self,
        chat: &str,
        to: &Enrolled,
        message: u128,
    ) -> Result<pb::DeliveryState, Status> {
        let envelope =
            pb::DeviceEnvelope { device_id: to.device_id(), ciphertext: vec![7; 200].into() };
        let request = pb::SendRequest {
            chat_id: chat.to_owned(),
            message_id: id::format("msg", message),
            peer_envelopes: vec![envelope],
            own_envelopes: Vec::new(),
            peer_manifest_hash: to.manifest_hash.clone(),
            own_manifest_hash: self.enrolled.manifest_hash.clone(),
            ephemeral: false,
            envelope_class: pb::EnvelopeClass::Message.into(),
        };
        let answer = self.messages.clone().send(self.request(request)?).await?.into_inner();
        match answer.outcome {
            Some(Outcome::Accepted(accepted)) if accepted.deliveries.len() == 1 => {
                Ok(accepted.deliveries[0].state())
            }
            other => Err(Status::internal(format!("an answer that nobody expects: {other:?}"))),
        }
    }

    /// Opens the stream; returns when it is live.
    pub(super) async fn listen(&self) -> Result<Listening> {
        let mut listening = Listening(self.open().await?);
        while !matches!(listening.next(LIVENESS).await?, Some(Event::QueueEmpty(_))) {}
        Ok(listening)
    }

    /// Opens the stream.
    pub(super) async fn open(&self) -> Result<Streaming<pb::ReceiveResponse>, Status> {
        let request = self.request(pb::ReceiveRequest {})?;
        Ok(self.messages.clone().receive(request).await?.into_inner())
    }

    /// Acknowledges envelopes.
    pub(super) async fn acknowledge(&self, envelope_ids: Vec<String>) -> Result<(), Status> {
        patiently(|| async {
            let envelope_ids = envelope_ids.clone();
            let request = self.request(pb::AcknowledgeRequest { envelope_ids })?;
            self.messages.clone().acknowledge(request).await?;
            Ok(())
        })
        .await
    }

    fn request<T>(&self, message: T) -> Result<tonic::Request<T>, Status> {
        let mut request =
            self.enrolled.request(message).map_err(|error| Status::internal(error.to_string()))?;
        request.set_timeout(LIVENESS);
        Ok(request)
    }
}

/// Makes a call again while the service says that it is busy: on a busy machine it may be.
async fn patiently<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let until = Instant::now() + LIVENESS;
    loop {
        match call().await {
            Err(status) if status.code() == Code::Unavailable && Instant::now() < until => {
                tokio::time::sleep(RETRY).await;
            }
            outcome => return outcome,
        }
    }
}

/// The stream of a device.
pub(super) struct Listening(pub(super) Streaming<pb::ReceiveResponse>);

impl Listening {
    /// The next event; `None` where none comes in time.
    pub(super) async fn next(&mut self, at_most: Duration) -> Result<Option<Event>> {
        let Ok(event) = timeout(at_most, self.0.message()).await else { return Ok(None) };
        Ok(event?.context("the stream ended")?.event)
    }

    /// The next envelope: its id, and the message that it is. `None` where none comes in time.
    pub(super) async fn envelope(&mut self, until: Instant) -> Result<Option<(String, u128)>> {
        loop {
            let Ok(event) = timeout_at(until, self.0.message()).await else { return Ok(None) };
            match event?.context("the stream ended")?.event {
                Some(Event::Envelope(envelope)) => {
                    let message = id::parse("msg", &envelope.message_id).context("a message id")?;
                    return Ok(Some((envelope.envelope_id, message)));
                }
                Some(Event::Resume(resume)) => bail!("the stream is to be resumed: {resume:?}"),
                _ => {}
            }
        }
    }
}
