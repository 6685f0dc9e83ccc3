//! Sends that wait for a device's acknowledgement.

use std::time::Duration;

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
    pub(crate) fn wait(&self, envelope: EnvelopeId) -> Waiting<'_> {
        let (sender, receiver) = oneshot::channel();
        self.open.insert(envelope, sender);
        Waiting { waiters: self, envelope, receiver, is_over: false }
    }

    /// Hands an answer to the send that waits for it; `false` where none does any more.
    pub(crate) fn answer(&self, envelope: EnvelopeId, answer: Answer) -> bool {
        self.open.remove(&envelope).is_some_and(|(_, sender)| sender.send(answer).is_ok())
    }
}

/// A send that waits. Dropped, also by a caller that went away, it waits no more.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    waiters: &'a Waiters,
    envelope: EnvelopeId,
    receiver: oneshot::Receiver<Answer>,
    is_over: bool,
}

impl Waiting<'_> {
    /// The answer; `None` where it did not come in time.
    pub(crate) async fn answer(mut self, within: Duration) -> Option<Answer> {
        let answer = match tokio::time::timeout(within, &mut self.receiver).await {
            Ok(answer) => answer.ok(),
            Err(_) if self.waiters.open.remove(&self.envelope).is_some() => None,
            // The answer was handed over at the last moment.
            Err(_) => (&mut self.receiver).await.ok(),
        };
        self.is_over = true;
        answer
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.waiters.open.remove(&self.envelope);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use plasma_kit::ids::EnvelopeId;
    use uuid::Uuid;

    use super::{Answer, Waiters};

    #[tokio::test]
    async fn whoever_stops_to_wait_leaves_nothing_behind() {
        let (waiters, envelope) = (Waiters::default(), EnvelopeId(Uuid::from_u128(1)));
        drop(waiters.wait(envelope));
        assert!(waiters.open.is_empty());
        assert!(!waiters.answer(envelope, Answer::Acknowledged));

        let cancelled = waiters.wait(envelope).answer(Duration::from_mins(1));
        assert!(tokio::time::timeout(Duration::from_millis(1), cancelled).await.is_err());
        assert!(waiters.open.is_empty());

        assert_eq!(waiters.wait(envelope).answer(Duration::ZERO).await, None);
        assert!(waiters.open.is_empty());

        let waiting = waiters.wait(envelope);
        assert!(waiters.answer(envelope, Answer::Acknowledged));
        assert_eq!(waiting.answer(Duration::ZERO).await, Some(Answer::Acknowledged));
    }
}
