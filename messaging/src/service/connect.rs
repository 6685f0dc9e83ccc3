//! `MessageService.Connect`: a device's one stream, with its calls on it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, Stream, StreamExt};
use pb::call_result::Result as Outcome;
use pb::connect_request::Call;
use pb::connect_response::Event;
use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::status::ErrorReason;
use plasma_proto::Validate;
use plasma_proto::messaging::v1 as pb;
use tonic::Status;

use super::{MessageService, acknowledge, send, send_control, send_own};
use crate::delivery::{Connection, EventStream};

/// Most sends of one stream that may be unanswered.
const SENDS_MAX: usize = 64;
/// Most calls of one stream that may be under way or wait to write their answer; the rest waits in
/// the connection.
const CALLS_MAX: usize = SENDS_MAX + 32;
/// When a send that was one too many may come again: a send takes up to the ack window.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[tracing::instrument(name = "messaging.connect", skip_all, fields(tenant = %device.tenant))]
pub(super) async fn handle(
    service: &MessageService,
    device: DeviceActor,
    calls: impl Stream<Item = Result<pb::ConnectRequest, Status>> + Send + Unpin + 'static,
) -> Result<EventStream, Failure> {
    let stream = service.messaging.delivery.receive(device).await?;
    let answering = Answering {
        service: service.clone(),
        device,
        connection: stream.connection(),
        under_way: FuturesUnordered::new(),
        sends: 0,
    };
    tokio::spawn(answering.run(calls));
    Ok(stream)
}

/// An event as `Connect` wraps it.
pub(super) fn response(event: Event) -> pb::ConnectResponse {
    pb::ConnectResponse { event: Some(event) }
}

/// Takes the calls of one stream and answers them. Each call writes its own answer, so that a device
/// that does not read holds up nothing but itself: the loop never waits for it, and whatever a call
/// holds of the service is given back.
struct Answering {
    service: MessageService,
    device: DeviceActor,
    connection: Arc<Connection>,
    /// Each gives back whether it was a send.
    under_way: FuturesUnordered<BoxFuture<'static, bool>>,
    sends: usize,
}

impl Answering {
    async fn run(
        mut self,
        mut calls: impl Stream<Item = Result<pb::ConnectRequest, Status>> + Unpin,
    ) {
        let connection = Arc::clone(&self.connection);
        loop {
            let room = self.under_way.len() < CALLS_MAX;
            tokio::select! {
                biased;
                // A stream that has ended takes no call any more.
                () = connection.ended.cancelled() => break,
                Some(was_send) = self.under_way.next() => self.sends -= usize::from(was_send),
                call = calls.next(), if room => match call {
                    Some(Ok(call)) => self.take(call).await,
                    Some(Err(status)) => {
                        connection.end(Some(status));
                        break;
                    }
                    None => {
                        self.finish().await;
                        connection.end(None);
                        return;
                    }
                },
            }
        }
        // Whoever sent them cannot hear of it and sends again; what was accepted goes on its way.
        self.finish().await;
    }

    async fn take(&mut self, request: pb::ConnectRequest) {
        let call_id = request.call_id;
        let accepted = self.accept(request);
        let is_send = matches!(&accepted, Ok(call) if !matches!(call, Call::Acknowledge(_)));
        let (service, device) = (self.service.clone(), self.device);
        let connection = Arc::clone(&self.connection);
        let mut work = async move {
            let outcome = match accepted {
                Ok(call) => perform(service, device, call).await,
                Err(failure) => Some(Outcome::Error(error(&failure))),
            };
            if let Some(outcome) = outcome {
                let result = pb::CallResult { call_id, result: Some(outcome) };
                connection.tell(Event::Result(result)).await;
            }
            is_send
        }
        .boxed();
        // Most acknowledgements are done at once.
        if futures::poll!(&mut work).is_pending() {
            self.sends += usize::from(is_send);
            self.under_way.push(work);
        }
    }

    fn accept(&self, request: pb::ConnectRequest) -> Result<Call, Failure> {
        request
            .validate()
            .map_err(|violation| Failure::invalid(&violation.field, &violation.rule))?;
        let call = request.call.ok_or_else(|| Failure::invalid("call", "must be set"))?;
        let is_send = !matches!(call, Call::Acknowledge(_));
        if is_send && self.sends >= SENDS_MAX {
            return Err(Failure::rate_limited(RETRY_AFTER));
        }
        Ok(call)
    }

    async fn finish(&mut self) {
        while self.under_way.next().await.is_some() {}
    }
}

/// Makes a call as its own RPC does.
async fn perform(service: MessageService, device: DeviceActor, call: Call) -> Option<Outcome> {
    let messaging = &service.messaging;
    let (field, outcome) = match call {
        Call::Send(request) => {
            ("send", send::handle(messaging, device, request).await.map(Outcome::Send))
        }
        Call::SendOwn(request) => {
            ("send_own", send_own::handle(&service, device, request).await.map(Outcome::SendOwn))
        }
        Call::SendControl(request) => {
            let answer = send_control::handle(&service, device, request).await;
            ("send_control", answer.map(Outcome::SendControl))
        }
        Call::Acknowledge(request) => match acknowledge::handle(messaging, device, request).await {
            Ok(pb::AcknowledgeResponse {}) => return None,
            Err(failure) => ("acknowledge", Err(failure)),
        },
    };
    Some(outcome.unwrap_or_else(|failure| Outcome::Error(error(&failure.within(field)))))
}

fn error(failure: &Failure) -> pb::CallError {
    if failure.reason() == ErrorReason::Internal {
        tracing::error!("a call of a stream failed by a defect of the service");
    }
    let status = failure.to_rpc_status();
    pb::CallError { code: status.code, message: status.message, details: status.details }
}
