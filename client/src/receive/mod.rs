//! Listening: a background task that keeps a stream open and saves what comes.

mod acknowledge;
mod again;
mod open;
mod pull;
mod receipts;
mod standing;
#[cfg(test)]
mod tests;
mod typing;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_proto::messaging::v1::receive_response::Event as StreamEvent;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tonic::transport::Channel;
use tonic::{Code, Status};

pub use pull::Pulled;

use self::acknowledge::Acknowledger;
use self::receipts::Receipts;
use self::typing::Writers;
use crate::connection::{ANSWER_BYTES_MAX, Backoff};
use crate::device::{Device, PendingReset};
use crate::error::Error;
use crate::event::{Event, StopCause};
use crate::store::expiry;

/// Events that may wait for the reader. When it is full nothing more is taken from the service,
/// where the rest stays stored.
const EVENTS_WAITING_MAX: usize = 256;
/// How soon after it was told to resume a device may fail to, before it counts as disconnected.
const RESUMING_MAX: Duration = Duration::from_secs(5);
/// Silence after which a stream counts as dead: three heartbeats.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// What happens while a device listens. It listens until this is dropped.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::Receiver<Event>,
    task: JoinHandle<()>,
}

impl Events {
    /// Waits for the next event; `None` after [`Event::Stopped`].
    pub async fn next(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.receiver.poll_recv(context)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why one stream ended.
enum End {
    /// The service asks to open another.
    Resume,
    /// The connection or the service failed.
    Lost(Error),
    /// The service does not want this device to come back by itself.
    Stop(StopCause),
    /// Nobody listens to the events any more.
    Abandoned,
}

impl Device {
    /// Listens in a background task: opens every envelope, saves what it holds, acknowledges it,
    /// and tells. Reconnects by itself, except when a newer stream of the same device took over or
    /// the service refuses the device.
    pub fn receive(&self) -> Events {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        let device = self.clone();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = listen(device.clone(), sender) => {}
                () = device.look_after() => {}
                () = device.maintain_hourly() => {}
            }
        });
        Events { receiver, task }
    }
}

async fn listen(device: Device, events: mpsc::Sender<Event>) {
    let mut backoff = Backoff::endless(device.inner.env.clone());
    let mut listener = Listener {
        acknowledger: Acknowledger::spawn(device.clone()),
        receipts: Receipts::spawn(device.clone()),
        writers: Writers::default(),
        device,
        events,
    };
    let mut resumed: Option<Instant> = None;
    loop {
        match listener.stream(&mut backoff).await {
            End::Resume => resumed = Some(Instant::now()),
            // The connection to a node that is being stopped closes under whoever resumes on it;
            // the next stream makes another.
            End::Lost(_) if resumed.take().is_some_and(|at| at.elapsed() < RESUMING_MAX) => {}
            End::Abandoned => return,
            End::Stop(cause) => {
                let _reader_is_gone = listener.events.send(Event::Stopped(cause)).await;
                return;
            }
            End::Lost(error) => {
                let delay = backoff.next(error.retry_after()).unwrap_or(SILENCE_MAX);
                if listener.events.send(Event::Disconnected(error)).await.is_err() {
                    return;
                }
                tokio::time::sleep(delay).await;
            }
        }
    }
}

/// What lives as long as somebody listens.
struct Listener {
    device: Device,
    events: mpsc::Sender<Event>,
    acknowledger: Acknowledger,
    receipts: Receipts,
    writers: Writers,
}

impl Listener {
    async fn stream(&mut self, backoff: &mut Backoff) -> End {
        let operation = |channel: Channel, request| async move {
            let mut client =
                MessageServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
            client.receive(request).await
        };
        let inner = &self.device.inner;
        let opened = inner.connection.open(&inner.keys, pb::ReceiveRequest {}, operation);
        let mut stream = match opened.await {
            Ok(stream) => stream,
            Err(error) => return end_of(&self.device, error).await,
        };
        let mut heard = Instant::now();
        loop {
            let silent = heard + SILENCE_MAX;
            let wake = match self.next_end() {
                Ok(end) => end.map_or(silent, |end| end.min(silent)),
                Err(error) => return End::Lost(error),
            };
            let happened = match tokio::time::timeout_at(wake, stream.message()).await {
                Err(_) if wake >= silent => {
                    return End::Lost(Error::Unreachable("the stream is silent".to_owned()));
                }
                Err(_) => self.ended(),
                Ok(Ok(None)) => {
                    return End::Lost(Error::Unreachable("the stream ended".to_owned()));
                }
                Ok(Ok(Some(response))) => {
                    heard = Instant::now();
                    match self.take(response.event, backoff).await {
                        Ok(happened) => Ok(self.writers.follow(happened, heard)),
                        Err(end) => return end,
                    }
                }
                Ok(Err(status)) => return end_of_status(&self.device, status).await,
            };
            let happened = match happened {
                Ok(happened) => happened,
                Err(error) => return End::Lost(error),
            };
            for event in happened {
                if self.events.send(event).await.is_err() {
                    return End::Abandoned;
                }
            }
        }
    }

    async fn take(
        &self,
        event: Option<StreamEvent>,
        backoff: &mut Backoff,
    ) -> Result<Vec<Event>, End> {
        match event {
            // An event that a later version of the service may have.
            None | Some(StreamEvent::Heartbeat(_)) => Ok(Vec::new()),
            Some(StreamEvent::Hello(hello)) => {
                backoff.reset();
                tokio::spawn(catch_up(self.device.clone()));
                let reset = self.device.note_reset(hello.pending_reset.as_ref());
                Ok(greeting(reset.map_err(End::Lost)?))
            }
            Some(StreamEvent::QueueEmpty(_)) => Ok(vec![Event::QueueEmpty]),
            Some(StreamEvent::Resume(_)) => Err(End::Resume),
            Some(StreamEvent::Envelope(envelope)) => {
                // Not saved, not acknowledged: it comes again on the next stream.
                let happened = self.device.open_envelope(&envelope).await.map_err(End::Lost)?;
                self.acknowledger.acknowledge(envelope.envelope_id).await;
                if happened.iter().any(|event| matches!(event, Event::Message(_))) {
                    self.receipts.note();
                }
                Ok(happened)
            }
        }
    }

    /// Returns when the next message disappears or the next typing notice ends.
    fn next_end(&self) -> Result<Option<Instant>, Error> {
        let inner = &self.device.inner;
        let disappears = inner.store.read(expiry::next)?.map(|due| {
            let micros = due.saturating_sub(inner.env.now_micros());
            // One that is too far ahead for this clock is looked at again long before.
            let wait = Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(SILENCE_MAX);
            Instant::now() + wait
        });
        Ok(self.writers.next_end().into_iter().chain(disappears).min())
    }

    /// Ends what is over by now.
    fn ended(&mut self) -> Result<Vec<Event>, Error> {
        let mut events = self.writers.expire(Instant::now());
        events.extend(self.device.expire_messages()?);
        Ok(events)
    }
}

fn greeting(reset: Option<PendingReset>) -> Vec<Event> {
    std::iter::once(Event::Connected).chain(reset.map(Event::ResetPending)).collect()
}

/// What a device that has been away does first.
async fn catch_up(device: Device) {
    if let Err(error) = device.publish_prekeys().await {
        tracing::info!(%error, "prekeys were not topped up");
    }
    if let Err(error) = device.maintain().await {
        tracing::info!(%error, "the account was not maintained");
    }
    if let Err(error) = device.flush_outbox().await {
        tracing::info!(%error, "the outbox was not sent");
    }
    if let Err(error) = device.deliver_controls().await {
        tracing::info!(%error, "what repairs sessions was not sent");
    }
}

async fn end_of_status(device: &Device, status: Status) -> End {
    end_of(device, Error::from(status)).await
}

async fn end_of(device: &Device, error: Error) -> End {
    let Error::Service(refusal) = &error else { return End::Lost(error) };
    match refusal.reason {
        Some(ErrorReason::ConflictingStream) => End::Stop(StopCause::ConflictingStream),
        Some(ErrorReason::TokenExpired) => {
            device.inner.connection.forget_token().await;
            End::Resume
        }
        _ => match refusal.code {
            Code::Unauthenticated => match device.cause_of_refusal(error).await {
                Ok(cause) => End::Stop(cause),
                Err(unknown) => End::Lost(unknown),
            },
            Code::PermissionDenied | Code::Unimplemented => End::Stop(StopCause::Refused(error)),
            _ => End::Lost(error),
        },
    }
}
