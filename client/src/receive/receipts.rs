//! Tells peers that their messages have come: at most one receipt for each chat a second.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::device::Device;

const INTERVAL: Duration = Duration::from_secs(1);

/// Sends receipts for saved messages until it is dropped; what waits then is sent next time.
#[derive(Debug)]
pub(super) struct Receipts {
    due: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Receipts {
    /// Starts the task, which begins with what an earlier one has left.
    pub(super) fn spawn(device: Device) -> Self {
        let due = Arc::new(Notify::new());
        due.notify_one();
        let task = tokio::spawn(run(device, Arc::clone(&due)));
        Self { due, task }
    }

    /// Says that a message has been saved.
    pub(super) fn note(&self) {
        self.due.notify_one();
    }
}

impl Drop for Receipts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(device: Device, due: Arc<Notify>) {
    loop {
        due.notified().await;
        match device.send_due_receipts().await {
            Ok(true) => due.notify_one(),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "receipts were not sent"),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
