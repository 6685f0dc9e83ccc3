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
        let mut ended = std::pin::pin!(connection.ended.cancelled());
        loop {
            let room = self.under_way.len() < CALLS_MAX;
            tokio::select! {
                biased;
                // A stream that has ended takes no call any more.
                () = &mut ended => break,
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

    /// Begins a call, as its own RPC does, and runs it until it waits for something; then it goes on
    /// beside the others.
    async fn take(&mut self, request: pb::ConnectRequest) {
        let id = request.call_id;
        let (service, device) = (self.service.clone(), self.device);
        let accepted = self.accept(request);
        let is_send = matches!(&accepted, Ok(call) if !matches!(call, Call::Acknowledge(_)));
        let mut call = match accepted {
            Err(failure) => self.call(id, false, async move { Err(failure) }),
            Ok(Call::Send(request)) => self.call(id, true, async move {
                let answer = send::handle(&service.messaging, device, request).await;
                answer.map(|answer| Some(Outcome::Send(answer))).map_err(within("send"))
            }),
            Ok(Call::Acknowledge(request)) => self.call(id, false, async move {
                let answer = acknowledge::handle(&service.messaging, device, request).await;
                answer.map(|pb::AcknowledgeResponse {}| None).map_err(within("acknowledge"))
            }),
            Ok(Call::SendOwn(request)) => self.call(id, true, async move {
                let answer = send_own::handle(&service, device, request).await;
                answer.map(|answer| Some(Outcome::SendOwn(answer))).map_err(within("send_own"))
            }),
            Ok(Call::SendControl(request)) => self.call(id, true, async move {
                let answer = send_control::handle(&service, device, request).await;
                let answer = answer.map(|answer| Some(Outcome::SendControl(answer)));
                answer.map_err(within("send_control"))
            }),
        };
        // Most acknowledgements are done at once.
        if futures::poll!(&mut call).is_pending() {
            self.sends += usize::from(is_send);
            self.under_way.push(call);
        }
    }

    /// A call that writes its own answer. Each kind of call has a box of its own size: the largest is
    /// many times as large as the commonest.
    fn call(
        &self,
        call_id: u64,
        is_send: bool,
        work: impl Future<Output = Done> + Send + 'static,
    ) -> BoxFuture<'static, bool> {
        let connection = Arc::clone(&self.connection);
        // By a combinator: an `async` block would have room for the call twice.
        work.then(move |done| async move {
            let outcome = done.unwrap_or_else(|failure| Some(Outcome::Error(error(&failure))));
            if let Some(outcome) = outcome {
                let result = pb::CallResult { call_id, result: Some(outcome) };
                connection.tell(Event::Result(result)).await;
            }
            is_send
        })
        .boxed()
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

/// The answer of a call, where it has one.
type Done = Result<Option<Outcome>, Failure>;

/// Names the call in what is said of its fields.
fn within(call: &'static str) -> impl FnOnce(Failure) -> Failure {
    move |failure| failure.within(call)
}

fn error(failure: &Failure) -> pb::CallError {
    if failure.reason() == ErrorReason::Internal {
        tracing::error!("a call of a stream failed by a defect of the service");
    }
    let status = failure.to_rpc_status();
    pb::CallError { code: status.code, message: status.message, details: status.details }
}
