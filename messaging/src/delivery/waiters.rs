//! Sends that wait for a device's acknowledgement.

use dashmap::DashMap;
use plasma_kit::ids::EnvelopeId;
use tokio::sync::oneshot;

/// What a device said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has processed the envelope.
    Acknowledged,
    /// It cannot take it now.
    Refused,
}

/// Sends of this node that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    open: DashMap<EnvelopeId, oneshot::Sender<Answer>>,
}

impl Waiters {
    /// Begins to wait.
    pub(crate) fn wait(&self, envelope: EnvelopeId) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.open.insert(envelope, sender);
        receiver
    }

    /// Hands an answer to the send that waits for it; `false` where none does any more.
    pub(crate) fn answer(&self, envelope: EnvelopeId, answer: Answer) -> bool {
        self.open.remove(&envelope).is_some_and(|(_, sender)| sender.send(answer).is_ok())
    }

    /// Stops waiting; `false` where an answer was handed over at the last moment.
    pub(crate) fn give_up(&self, envelope: EnvelopeId) -> bool {
        self.open.remove(&envelope).is_some()
    }
}
