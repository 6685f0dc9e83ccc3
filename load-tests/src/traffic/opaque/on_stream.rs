//! The calls of a device on its one stream (`Connect`): sends wait for their answers by number,
//! acknowledgements are not answered. While there is no stream, the device makes calls.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::SendStream;
use plasma_proto::id;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::call_result::Result as Outcome;
use prost::Message;
use tokio::sync::oneshot;
use tonic::{Code, Status};

use super::super::call_error::CallError;
use super::super::link::{Incoming, Link};
use super::super::session::decode;
use super::super::speech::{self, Sound};
use super::OpaqueDevice;
use crate::generator::wire::frame;

const CONNECT: &str = "/plasma.messaging.v1.MessageService/Connect";
/// How long what is under way may take when a device leaves in order.
const CLOSING_MAX: Duration = Duration::from_secs(5);
/// A message's frame: a flag and the length.
const FRAME_HEAD: usize = 5;

type Answer = Result<Bytes, CallError>;

/// The device's side of its stream.
#[derive(Debug)]
pub(super) struct OnStream {
    out: SendStream<Bytes>,
    last_call: u64,
    waiting: HashMap<u64, oneshot::Sender<Answer>>,
}

/// A `ConnectRequest` around a request that is encoded already.
#[derive(Clone, PartialEq, prost::Message)]
struct Wrapped {
    #[prost(uint64, tag = "1")]
    call_id: u64,
    #[prost(bytes = "bytes", optional, tag = "2")]
    send: Option<Bytes>,
}

impl OpaqueDevice {
    /// Opens the stream of both directions.
    pub(super) async fn open_on_stream(
        &self,
        link: &Link,
        token: &str,
    ) -> Result<Incoming, CallError> {
        let (out, mut incoming) = link.start(CONNECT, Some(token), None).await?;
        incoming.opened().await?;
        *self.on_stream() = Some(OnStream { out, last_call: 0, waiting: HashMap::new() });
        Ok(incoming)
    }

    /// Sends on the stream; `None` where there is none.
    pub(super) async fn send_on_stream(
        &self,
        request: &Bytes,
        at_most: Duration,
    ) -> Option<Answer> {
        let receiver = {
            let mut on_stream = self.on_stream();
            let OnStream { out, last_call, waiting } = on_stream.as_mut()?;
            *last_call += 1;
            let send = Some(request.slice(FRAME_HEAD..));
            let call = frame(&Wrapped { call_id: *last_call, send });
            if let Err(error) = out.send_data(call.into(), false) {
                return Some(Err(error.into()));
            }
            let (sender, receiver) = oneshot::channel();
            waiting.insert(*last_call, sender);
            receiver
        };
        Some(match tokio::time::timeout(at_most, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CallError::Broken("the stream ended".to_owned())),
            Err(_) => Err(CallError::Silent(at_most)),
        })
    }

    /// Acknowledges on the stream; `false` where there is none.
    pub(super) fn acknowledge_on_stream(&self, envelopes: &[u128]) -> bool {
        let mut on_stream = self.on_stream();
        let Some(OnStream { out, .. }) = on_stream.as_mut() else { return false };
        let envelope_ids = envelopes.iter().map(|envelope| id::format("env", *envelope)).collect();
        let acknowledge = pb::AcknowledgeRequest { envelope_ids };
        let call = Some(pb::connect_request::Call::Acknowledge(acknowledge));
        let request = pb::ConnectRequest { call_id: 0, call };
        out.send_data(frame(&request).into(), false).is_ok()
    }

    /// Hands an answer to the send that waits for it.
    pub(super) fn answer_on_stream(&self, call_id: u64, answer: Answer) {
        let mut on_stream = self.on_stream();
        let waiting = on_stream.as_mut().and_then(|there| there.waiting.remove(&call_id));
        if let Some(waiting) = waiting {
            // One that has waited for too long is gone.
            let _ = waiting.send(answer);
        }
    }

    /// Closes the device's side and waits until what is under way is answered.
    pub(super) async fn close_on_stream(&self, incoming: &mut Incoming) {
        if let Some(OnStream { out, .. }) = self.on_stream().as_mut()
            && out.send_data(Bytes::new(), true).is_err()
        {
            return;
        }
        let answering = async {
            while let Ok(Some(event)) = incoming.next().await {
                if let Ok(Sound::Answer(call_id, answer)) = read_event(&event) {
                    self.answer_on_stream(call_id, answer);
                }
            }
        };
        // What is not answered by then is sent again.
        let _ = tokio::time::timeout(CLOSING_MAX, answering).await;
    }

    /// The stream is gone: whoever waits for an answer has none.
    pub(super) fn forget_stream(&self) {
        *self.on_stream() = None;
    }

    fn on_stream(&self) -> MutexGuard<'_, Option<OnStream>> {
        self.on_stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads an event of the stream.
pub(super) fn read_event(event: &[u8]) -> Result<Sound, CallError> {
    use pb::connect_response::Event;
    Ok(match decode::<pb::ConnectResponse>(event)?.event {
        Some(Event::Hello(_)) => Sound::Hello,
        Some(Event::Envelope(envelope)) => Sound::Envelope(speech::heard(envelope)?),
        Some(Event::QueueEmpty(_)) => Sound::QueueEmpty,
        Some(Event::Resume(_)) => Sound::Resume,
        Some(Event::Result(result)) => Sound::Answer(result.call_id, answer(result.result)),
        Some(Event::Heartbeat(_)) | None => Sound::Other,
    })
}

fn answer(outcome: Option<Outcome>) -> Answer {
    match outcome {
        Some(Outcome::Send(response)) => Ok(response.encode_to_vec().into()),
        Some(Outcome::Error(error)) => {
            // The fields are those of `google.rpc.Status`, which travels as a status' details.
            let details = error.encode_to_vec();
            let code = Code::from_i32(error.code);
            Err(Status::with_details(code, error.message, details.into()).into())
        }
        Some(Outcome::SendOwn(_) | Outcome::SendControl(_)) | None => {
            Err(CallError::Answer("an answer to another call".to_owned()))
        }
    }
}
