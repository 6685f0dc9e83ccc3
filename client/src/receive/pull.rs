//! Taking what is queued without a stream, for the background.

use std::time::Duration;

use plasma_proto::messaging::v1::PullRequest;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use tonic::transport::Channel;

use crate::connection::ANSWER_BYTES_MAX;
use crate::device::Device;
use crate::error::Error;
use crate::event::Event;

const PAGE_SIZE: i32 = 50;
/// The longest wait whose answer is in time for the deadline of a call.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Envelopes that are saved and not acknowledged yet.
#[derive(Debug)]
#[must_use = "the service keeps offering what is not acknowledged"]
pub struct Pulled {
    /// What they held.
    pub events: Vec<Event>,
    /// Whether more is queued.
    pub has_more: bool,
    envelope_ids: Vec<String>,
}

impl Pulled {
    /// Counts the envelopes.
    pub fn envelopes(&self) -> usize {
        self.envelope_ids.len()
    }
}

impl Device {
    /// Takes a page of what is queued, saves it, acknowledges it, tells the peers that their
    /// messages have come, and returns what it was. Waits for the first envelope up to `wait`, 10 s
    /// at most.
    pub async fn pull_once(&self, wait: Duration) -> Result<Vec<Event>, Error> {
        let mut pulled = self.pull(wait).await?;
        let mut events = std::mem::take(&mut pulled.events);
        events.extend(self.expire_messages()?);
        self.acknowledge_pulled(pulled).await?;
        if let Err(error) = self.send_due_receipts().await {
            tracing::warn!(%error, "receipts were not sent");
        }
        Ok(events)
    }

    /// Takes a page of what is queued and saves it. The service keeps it until
    /// [`Device::acknowledge_pulled`].
    pub async fn pull(&self, wait: Duration) -> Result<Pulled, Error> {
        let wait = prost_types::Duration::try_from(wait.min(WAIT_MAX)).unwrap_or_default();
        let operation = |channel: Channel, request| async move {
            let mut client =
                MessageServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
            client.pull(request).await
        };
        let request = PullRequest { page_size: PAGE_SIZE, wait: Some(wait) };
        let answer = self.call(request, operation).await?;
        let announced = self.note_reset(answer.pending_reset.as_ref())?.map(Event::ResetPending);
        let mut pulled = Pulled {
            events: announced.into_iter().collect(),
            has_more: answer.has_more,
            envelope_ids: Vec::new(),
        };
        for envelope in answer.envelopes {
            pulled.events.extend(self.open_envelope(&envelope).await?);
            pulled.envelope_ids.push(envelope.envelope_id);
        }
        Ok(pulled)
    }

    /// Tells the service that what was pulled is saved.
    pub async fn acknowledge_pulled(&self, pulled: Pulled) -> Result<(), Error> {
        if pulled.envelope_ids.is_empty() {
            return Ok(());
        }
        self.acknowledge(pulled.envelope_ids).await
    }
}
