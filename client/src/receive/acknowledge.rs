//! Acknowledgements, sixteen at a time or after 20 ms.

use std::time::Duration;

use plasma_proto::messaging::v1::AcknowledgeRequest;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tonic::transport::Channel;

use crate::device::Device;
use crate::error::Error;

const BATCH_MAX: usize = 16;
const BATCH_TIME: Duration = Duration::from_millis(20);
/// What the service lets be unacknowledged at a time.
const WAITING_MAX: usize = 256;

/// Sends acknowledgements of envelopes whose content is saved.
#[derive(Debug)]
pub(super) struct Acknowledger {
    waiting: mpsc::Sender<String>,
}

impl Acknowledger {
    /// Starts the task; it ends with the acknowledger, after what waits is sent.
    pub(super) fn spawn(device: Device) -> Self {
        let (waiting, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(run(device, receiver));
        Self { waiting }
    }

    pub(super) async fn acknowledge(&self, envelope_id: String) {
        // The task ends only after this value: there is always somebody to take it.
        let _taken = self.waiting.send(envelope_id).await;
    }
}

async fn run(device: Device, mut waiting: mpsc::Receiver<String>) {
    while let Some(first) = waiting.recv().await {
        let mut batch = vec![first];
        let deadline = Instant::now() + BATCH_TIME;
        while batch.len() < BATCH_MAX {
            match timeout_at(deadline, waiting.recv()).await {
                Ok(Some(next)) => batch.push(next),
                Ok(None) | Err(_) => break,
            }
        }
        // One that is lost is offered again, recognised, and acknowledged then.
        if let Err(error) = device.acknowledge(batch).await {
            tracing::info!(%error, "an acknowledgement was not taken");
        }
    }
}

impl Device {
    /// Tells the service that envelopes are saved here.
    pub(super) async fn acknowledge(&self, envelope_ids: Vec<String>) -> Result<(), Error> {
        let operation = |channel: Channel, request| async move {
            MessageServiceClient::new(channel).acknowledge(request).await
        };
        self.call(AcknowledgeRequest { envelope_ids }, operation).await?;
        self.run_errands();
        Ok(())
    }
}
