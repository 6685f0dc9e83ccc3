//! The stream of an opaque device: what arrives is entered into the book and acknowledged; what
//! breaks is opened again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use plasma_proto::error::v1::ErrorReason;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::call_error::CallError;
use super::super::link::{Incoming, Link};
use super::super::manner::Backoff;
use super::super::speech::{Heard, Sound};
use super::{OpaqueDevice, on_stream};
use crate::ledger::{Arrival, Offer, Seen};
use crate::meters::Happening;

/// Why a stream has ended.
enum End {
    /// The device leaves.
    Left,
    /// The service asks to open another.
    Resume,
    /// The device has a newer stream.
    Conflict,
    /// The connection or the service failed.
    Lost(CallError),
}

/// Envelopes that are to be acknowledged together.
#[derive(Debug, Default)]
struct Batch {
    envelopes: Vec<u128>,
    due: Option<Instant>,
}

impl OpaqueDevice {
    /// Listens until the device leaves in order.
    pub(super) async fn listen(self: Arc<Self>, leave: CancellationToken) {
        let mut backoff = Backoff::new(self.around.manner.backoff);
        let mut acknowledging = JoinSet::new();
        loop {
            let end = self.one_stream(&leave, &mut backoff, &mut acknowledging).await;
            self.presence.interrupted();
            let meters = &self.around.meters;
            let wait = match end {
                End::Left => break,
                End::Conflict => {
                    meters.count(Happening::Conflicted);
                    break;
                }
                End::Resume => {
                    meters.count(Happening::Resumed);
                    Duration::ZERO
                }
                End::Lost(error) => {
                    meters.failed(&format!("stream: {}", error.kind()));
                    meters.count(Happening::Reconnected);
                    self.spread(backoff.next()).max(error.retry_after().unwrap_or_default())
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = leave.cancelled() => break,
            }
        }
        while acknowledging.join_next().await.is_some() {}
    }

    async fn one_stream(
        self: &Arc<Self>,
        leave: &CancellationToken,
        backoff: &mut Backoff,
        acknowledging: &mut JoinSet<()>,
    ) -> End {
        let opening = tokio::time::timeout(self.around.manner.call_timeout, self.open());
        let opened = tokio::select! {
            opened = opening => opened,
            () = leave.cancelled() => return End::Left,
        };
        let (link, mut incoming, stream) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return end_of(error),
            Err(_) => return End::Lost(CallError::Silent(self.around.manner.call_timeout)),
        };
        self.around.meters.count(Happening::Opened);
        if !self.speech.says_when_ready() {
            backoff.reset();
            self.presence.ready();
        }
        let mut batch = Batch::default();
        let mut silent_at = Instant::now() + self.around.manner.silence;
        let end = loop {
            let wake = batch.due.map_or(silent_at, |due| due.min(silent_at));
            let event = tokio::select! {
                biased;
                event = incoming.next() => event,
                () = leave.cancelled() => break End::Left,
                () = link.gone() => break End::Lost(CallError::Broken("given up".to_owned())),
                () = tokio::time::sleep_until(wake.into()) => {
                    if Instant::now() >= silent_at {
                        link.give_up();
                        break End::Lost(CallError::Silent(self.around.manner.silence));
                    }
                    self.flush(&mut batch, acknowledging);
                    continue;
                }
            };
            silent_at = Instant::now() + self.around.manner.silence;
            let sound = match event {
                Ok(Some(event)) if self.calls_on_stream() => on_stream::read_event(&event),
                Ok(Some(event)) => self.speech.read_event(&event),
                Ok(None) => break End::Lost(CallError::Broken("the stream ended".to_owned())),
                Err(error) => Err(error),
            };
            match sound {
                Ok(Sound::Hello) => backoff.reset(),
                Ok(Sound::Envelope(heard)) => {
                    self.take(&heard, stream, &mut batch);
                    if batch.envelopes.len() >= self.around.manner.acknowledge_count {
                        self.flush(&mut batch, acknowledging);
                    }
                }
                Ok(Sound::QueueEmpty) => self.presence.ready(),
                Ok(Sound::Resume) => {
                    // The node may be about to stop: the next stream is for another one.
                    link.give_up();
                    break End::Resume;
                }
                Ok(Sound::Answer(call_id, answer)) => self.answer_on_stream(call_id, answer),
                Ok(Sound::Other) => {}
                Err(error) => {
                    self.note_failure(&link, None, &error).await;
                    break end_of(error);
                }
            }
        };
        // What has arrived is acknowledged whatever ended the stream.
        self.flush(&mut batch, acknowledging);
        if matches!(end, End::Left) && self.calls_on_stream() {
            self.close_on_stream(&mut incoming).await;
        }
        self.forget_stream();
        end
    }

    async fn open(&self) -> Result<(Arc<Link>, Incoming, u32), CallError> {
        let link = self.link().await?;
        let token = self.token(&link).await;
        let stream = self.around.ledger.opened();
        let opened = async {
            let token = token.clone()?;
            if self.calls_on_stream() {
                return self.open_on_stream(&link, &token).await;
            }
            let (path, request) = self.speech.receive(self.id);
            let mut incoming = link.stream(path, Some(&token), request).await?;
            incoming.opened().await?;
            Ok(incoming)
        };
        match opened.await {
            Ok(incoming) => Ok((link, incoming, stream)),
            Err(error) => {
                self.note_failure(&link, token.ok(), &error).await;
                Err(error)
            }
        }
    }

    fn take(&self, heard: &Heard, stream: u32, batch: &mut Batch) {
        let Heard { envelope, said, ciphertext } = heard;
        let around = &self.around;
        match around.filler.read(ciphertext) {
            Some((mark, is_whole)) => {
                let is_as_said = said.is_none_or(|(message, sender)| {
                    message == mark.message_id() && around.ledger.is_from(mark, sender)
                });
                let arrival = Arrival {
                    device: self.number,
                    mark,
                    is_intact: is_whole && is_as_said,
                    offer: Some(Offer { stream, envelope: *envelope }),
                };
                if let Seen::First { after } = around.ledger.received(&arrival) {
                    self.presence.measure(&around.meters, after);
                }
            }
            None => around.meters.failed("a ciphertext without a mark"),
        }
        batch.envelopes.push(*envelope);
        batch.due.get_or_insert_with(|| Instant::now() + around.manner.acknowledge_wait);
    }

    fn flush(self: &Arc<Self>, batch: &mut Batch, acknowledging: &mut JoinSet<()>) {
        let Batch { envelopes, .. } = std::mem::take(batch);
        while acknowledging.try_join_next().is_some() {}
        let is_done = envelopes.is_empty()
            || (self.calls_on_stream() && self.acknowledge_on_stream(&envelopes));
        if !is_done {
            let device = Arc::clone(self);
            acknowledging.spawn(async move { device.acknowledge(&envelopes).await });
        }
    }

    async fn acknowledge(&self, envelopes: &[u128]) {
        for ((path, request), acknowledged) in self.speech.acknowledge(envelopes) {
            match self.call_patiently(path, &request, None).await {
                Ok(_) => self.around.ledger.acknowledged(self.number, &acknowledged),
                // They are offered again.
                Err(_) => self.around.meters.count(Happening::AcknowledgementLost),
            }
        }
    }
}

fn end_of(error: CallError) -> End {
    match error.reason() {
        Some(ErrorReason::ConflictingStream) => End::Conflict,
        Some(ErrorReason::TokenExpired) => End::Resume,
        _ => End::Lost(error),
    }
}
