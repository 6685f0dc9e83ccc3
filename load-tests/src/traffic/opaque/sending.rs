//! Calls of an opaque device that are repeated until they are answered.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use plasma_proto::error::v1::ErrorReason;
use tonic::Code;

use super::super::Sent;
use super::super::call_error::CallError;
use super::super::manner::Backoff;
use super::super::speech::{Reply, SEND, number_of};
use super::OpaqueDevice;
use crate::ledger::DeviceNumber;
use crate::meters::Happening;

/// How a call that was repeated has failed for good. Why, the meters know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The service refused it each time.
    Refused,
    /// The service may have done what it was asked.
    Unanswered,
}

impl OpaqueDevice {
    /// Writes one message.
    pub async fn send(&self, chat: usize, due: Instant) -> Sent {
        let Some(contact) = self.contact(chat) else { return Sent::Refused };
        let around = &self.around;
        if self.has_rested(contact.peer) {
            around.meters.count(Happening::LookedUp);
        }
        let mark = around.ledger.begin(self.number, &[contact.peer], due);
        let content = around.filler.content(mark);
        let (path, request) = self.speech.send(&contact, &self.own_manifest_hash, mark, content);
        let answer = self.call_patiently(path, &request, Some(Happening::SentAgain)).await;
        let reply = answer.and_then(|answer| {
            let reply = self.speech.read_reply(&answer, contact.peer_id);
            reply.map_err(|error| {
                around.meters.failed(&error.kind());
                Failure::Unanswered
            })
        });
        match reply {
            Ok(Reply::Accepted(answers)) => {
                let answers: Vec<_> = answers
                    .into_iter()
                    .map(|(device, answer)| (number_of(&contact, device), answer))
                    .collect();
                around.ledger.accepted(mark, &answers);
                around.meters.answered(due.elapsed());
                Sent::Accepted
            }
            Ok(Reply::Mismatch) => {
                around.meters.failed("a device set that is out of date");
                around.ledger.refused(mark);
                Sent::Refused
            }
            Err(Failure::Unanswered) => {
                around.ledger.unanswered(mark);
                Sent::Unanswered
            }
            Err(Failure::Refused) => {
                around.ledger.refused(mark);
                Sent::Refused
            }
        }
    }

    /// Whether nothing was written to a device for so long that nodes have forgotten the chat;
    /// something is now.
    fn has_rested(&self, peer: DeviceNumber) -> bool {
        let mut wrote = self.wrote.lock().unwrap_or_else(PoisonError::into_inner);
        let before = wrote.insert(peer, Instant::now());
        before.is_none_or(|before| before.elapsed() > self.around.manner.look_ups_kept)
    }

    /// Makes a call, and makes it again, the same, while it may yet succeed and the patience lasts.
    pub(super) async fn call_patiently(
        &self,
        path: &str,
        request: &Bytes,
        again: Option<Happening>,
    ) -> Result<Bytes, Failure> {
        let meters = &self.around.meters;
        let deadline = Instant::now() + self.around.manner.patience;
        let mut backoff = Backoff::new(self.around.manner.backoff);
        let (mut is_open, mut has_renewed) = (false, false);
        loop {
            let error = match self.call_once(path, request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            meters.failed(&error.kind());
            let is_expired = error.reason() == Some(ErrorReason::TokenExpired);
            if is_expired && !has_renewed {
                has_renewed = true;
                continue;
            }
            let is_refusal = error.code() == Some(Code::ResourceExhausted);
            is_open |= error.is_transient() && !is_refusal;
            let wait = self.spread(backoff.next()).max(error.retry_after().unwrap_or_default());
            if !error.is_transient() || Instant::now() + wait > deadline {
                return Err(if is_open { Failure::Unanswered } else { Failure::Refused });
            }
            if is_refusal {
                meters.count(Happening::PushedBack);
            }
            tokio::time::sleep(wait).await;
            if let Some(again) = again {
                meters.count(again);
            }
        }
    }

    async fn call_once(&self, path: &str, request: Bytes) -> Result<Bytes, CallError> {
        let at_most: Duration = self.around.manner.call_timeout;
        let link = self.link().await?;
        if path == SEND
            && self.calls_on_stream()
            && let Some(answer) = self.send_on_stream(&request, at_most).await
        {
            if let Err(error) = &answer {
                self.note_failure(&link, None, error).await;
            }
            return answer;
        }
        let token = self.token(&link).await;
        let called = match &token {
            Ok(token) => link.call(path, Some(token), request, at_most).await,
            Err(error) => Err(error.clone()),
        };
        if let Err(error) = &called {
            self.note_failure(&link, token.ok(), error).await;
        }
        called
    }

    /// Draws from a failure what the next attempt must do otherwise.
    pub(super) async fn note_failure(
        &self,
        link: &super::Link,
        token: Option<Arc<str>>,
        error: &CallError,
    ) {
        let is_expired = error.reason() == Some(ErrorReason::TokenExpired);
        if let Some(token) = token.filter(|_| is_expired) {
            self.credential.forget(&token).await;
        }
        // The next attempt goes to another node.
        let is_away = matches!(error, CallError::Broken(_) | CallError::Silent(_));
        if is_away || error.code() == Some(Code::Unavailable) {
            link.give_up();
        }
    }
}
