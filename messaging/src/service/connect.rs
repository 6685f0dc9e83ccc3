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
/// Most calls of one stream that may be under way; the rest waits in the connection.
const CALLS_MAX: usize = SENDS_MAX + 256;
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

/// What became of a call; an acknowledgement that succeeded is not answered.
struct Done {
    call_id: u64,
    is_send: bool,
    outcome: Option<Outcome>,
}

/// Takes the calls of one stream and answers them.
struct Answering {
    service: MessageService,
    device: DeviceActor,
    connection: Arc<Connection>,
    under_way: FuturesUnordered<BoxFuture<'static, Done>>,
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
                () = connection.ended.cancelled() => break,
                Some(done) = self.under_way.next() => self.answer(done).await,
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
        let refusal = request
            .validate()
            .err()
            .map(|violation| Failure::invalid(&violation.field, &violation.rule));
        let is_send = !matches!(request.call, Some(Call::Acknowledge(_)));
        let refusal = refusal.or_else(|| {
            (is_send && self.sends >= SENDS_MAX).then(|| Failure::rate_limited(RETRY_AFTER))
        });
        let (Some(call), None) = (request.call, &refusal) else {
            let outcome = refusal.map(|failure| Outcome::Error(error(&failure)));
            return self.write(call_id, outcome).await;
        };
        self.sends += usize::from(is_send);
        let mut work = perform(self.service.clone(), self.device, call)
            .map(move |outcome| Done { call_id, is_send, outcome })
            .boxed();
        // Most acknowledgements are done at once.
        match futures::poll!(&mut work) {
            std::task::Poll::Ready(done) => self.answer(done).await,
            std::task::Poll::Pending => self.under_way.push(work),
        }
    }

    async fn answer(&mut self, done: Done) {
        self.sends -= usize::from(done.is_send);
        self.write(done.call_id, done.outcome).await;
    }

    async fn write(&mut self, call_id: u64, outcome: Option<Outcome>) {
        if let Some(outcome) = outcome {
            let result = pb::CallResult { call_id, result: Some(outcome) };
            self.connection.tell(Event::Result(result)).await;
        }
    }

    async fn finish(&mut self) {
        while let Some(done) = self.under_way.next().await {
            self.answer(done).await;
        }
    }
}

/// Makes a call as its own RPC does.
async fn perform(service: MessageService, device: DeviceActor, call: Call) -> Option<Outcome> {
    let messaging = &service.messaging;
    let outcome = match call {
        Call::Send(request) => send::handle(messaging, device, request).await.map(Outcome::Send),
        Call::SendOwn(request) => {
            send_own::handle(&service, device, request).await.map(Outcome::SendOwn)
        }
        Call::SendControl(request) => {
            send_control::handle(&service, device, request).await.map(Outcome::SendControl)
        }
        Call::Acknowledge(request) => match acknowledge::handle(messaging, device, request).await {
            Ok(pb::AcknowledgeResponse {}) => return None,
            Err(failure) => Err(failure),
        },
    };
    Some(outcome.unwrap_or_else(|failure| Outcome::Error(error(&failure))))
}

fn error(failure: &Failure) -> pb::CallError {
    if failure.reason() == ErrorReason::Internal {
        tracing::error!("a call of a stream failed by a defect of the service");
    }
    let status = failure.to_rpc_status();
    pb::CallError { code: status.code, message: status.message, details: status.details }
}
