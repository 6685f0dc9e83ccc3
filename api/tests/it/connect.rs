//! `Connect`: one stream for deliveries, sends and acknowledgements, beside the calls.

use std::collections::BTreeMap;
use std::time::Duration;

use pb::call_result::Result as Outcome;
use pb::connect_request::Call;
use pb::connect_response::Event;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_testkit::ClusterKind;
use plasma_testkit::platform::request_as;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use crate::world::{Person, World};

const LIVENESS: Duration = Duration::from_secs(20);
/// Most sends of one stream that may be unanswered, as the contract states.
const SENDS_MAX: u64 = 64;

/// A device's stream.
struct Line {
    calls: mpsc::Sender<pb::ConnectRequest>,
    events: Streaming<pb::ConnectResponse>,
}

impl Line {
    /// Opens the stream of a device and waits for its hello.
    async fn open(channel: Channel, token: &str) -> Self {
        let (calls, queue) = mpsc::channel(256);
        let request = request_as(token, ReceiverStream::new(queue)).unwrap();
        let events = MessageServiceClient::new(channel).connect(request).await.unwrap();
        let mut line = Self { calls, events: events.into_inner() };
        assert!(matches!(line.next().await, Ok(Some(Event::Hello(_)))));
        line
    }

    async fn call(&self, call_id: u64, call: Call) {
        self.calls.send(pb::ConnectRequest { call_id, call: Some(call) }).await.unwrap();
    }

    async fn next(&mut self) -> Result<Option<Event>, Status> {
        let event = tokio::time::timeout(LIVENESS, self.events.message());
        Ok(event.await.expect("the stream says something")?.map(|event| event.event.unwrap()))
    }

    /// The next answer; what else comes goes into `envelopes`.
    async fn answer(&mut self, envelopes: &mut Vec<pb::Envelope>) -> (u64, Outcome) {
        loop {
            match self.next().await.unwrap().expect("an answer before the end") {
                Event::Result(result) => return (result.call_id, result.result.unwrap()),
                Event::Envelope(envelope) => envelopes.push(envelope),
                _ => {}
            }
        }
    }

    async fn envelope(&mut self) -> pb::Envelope {
        loop {
            match self.next().await.unwrap().expect("an envelope before the end") {
                Event::Envelope(envelope) => return envelope,
                Event::Result(result) => panic!("{result:?}"),
                _ => {}
            }
        }
    }

    /// Acknowledges what waits until the backlog is done.
    async fn catch_up(&mut self) {
        loop {
            match self.next().await.unwrap().expect("the backlog ends") {
                Event::Envelope(envelope) => self.acknowledge(&envelope).await,
                Event::QueueEmpty(_) => return,
                _ => {}
            }
        }
    }

    async fn acknowledge(&self, envelope: &pb::Envelope) {
        let envelope_ids = vec![envelope.envelope_id.clone()];
        self.call(0, Call::Acknowledge(pb::AcknowledgeRequest { envelope_ids })).await;
    }
}

/// A call's error as the RPC of the same name would give it.
fn status(outcome: Outcome) -> Status {
    let Outcome::Error(error) = outcome else { panic!("{outcome:?}") };
    let details = error.encode_to_vec();
    Status::with_details(error.code.into(), error.message, details.into())
}

fn states(outcome: &Outcome) -> BTreeMap<String, pb::DeliveryState> {
    let Outcome::Send(pb::SendResponse { outcome: Some(outcome) }) = outcome else {
        panic!("{outcome:?}")
    };
    let pb::send_response::Outcome::Accepted(accepted) = outcome else { panic!("{outcome:?}") };
    let states = accepted.deliveries.iter();
    states.map(|delivery| (delivery.device_id.clone(), delivery.state())).collect()
}

async fn lines_of(world: &World, person: &Person) -> Vec<Line> {
    let mut lines = Vec::new();
    for device in &person.devices {
        let mut line = Line::open(world.wire.channel(), &device.token).await;
        line.catch_up().await;
        lines.push(line);
    }
    lines
}

/// Messages from Ann to Bob while all their devices are connected: each is delivered, acknowledged
/// and answered on the streams, and the store holds none of them.
async fn a_stream_carries_everything(kind: ClusterKind) {
    let world = World::start(kind).await;
    let (ann, bob) = (&world.a.ann, &world.a.bob);
    let mut anns = lines_of(&world, ann).await;
    let mut bobs = lines_of(&world, bob).await;
    let before = world.database.rows();
    for call_id in 1..=20 {
        let message = world.a.message(ann, bob);
        anns[0].call(call_id, Call::Send(message.clone())).await;
        for line in anns[1..].iter_mut().chain(&mut bobs) {
            let envelope = line.envelope().await;
            assert_eq!(envelope.message_id, message.message_id);
            line.acknowledge(&envelope).await;
        }
        let (answered, outcome) = anns[0].answer(&mut Vec::new()).await;
        assert_eq!(answered, call_id);
        let states = states(&outcome);
        let delivered = states.values().all(|state| *state == pb::DeliveryState::Delivered);
        assert!(delivered && states.len() == 3, "{states:?}");
    }
    let written = crate::rows::difference(&before, &world.database.rows());
    assert!(!written.iter().any(|row| row.starts_with('+')), "{written:#?}");
    world.check_health();
}

/// A bad call is answered as its RPC would be and disturbs no other; with 64 sends unanswered one
/// more is told to wait; what is under way is answered when the device closes its side.
async fn every_call_is_answered_for_itself(kind: ClusterKind) {
    let world = World::start(kind).await;
    let (ann, bob) = (&world.a.ann, &world.a.bob);
    // Bob's devices are there and do not acknowledge: the sends wait for them.
    let _bobs = lines_of(&world, bob).await;
    let mut line = lines_of(&world, ann).await.swap_remove(0);

    let mut bad = world.a.message(ann, bob);
    bad.peer_envelopes[0].ciphertext.clear();
    line.call(7, Call::Send(bad)).await;
    let (call_id, outcome) = line.answer(&mut Vec::new()).await;
    let status_of_bad = status(outcome);
    assert_eq!((call_id, status_of_bad.code()), (7, Code::InvalidArgument));
    let field = status_of_bad.get_details_error_info().unwrap().metadata["field"].clone();
    assert_eq!(field, "send.peer_envelopes[0].ciphertext");

    for call_id in 100..=100 + SENDS_MAX {
        line.call(call_id, Call::Send(world.a.message(ann, bob))).await;
    }
    let (call_id, outcome) = line.answer(&mut Vec::new()).await;
    let too_many = status(outcome);
    assert_eq!((call_id, too_many.code()), (100 + SENDS_MAX, Code::ResourceExhausted));
    assert_eq!(reason_of(&too_many), Some(ErrorReason::RateLimited));
    assert!(too_many.get_details_retry_info().unwrap().retry_delay.is_some());

    let Line { calls, mut events } = line;
    drop(calls);
    let mut answered = Vec::new();
    while let Some(event) = tokio::time::timeout(LIVENESS, events.message()).await.unwrap().unwrap()
    {
        if let Some(Event::Result(result)) = event.event {
            states(&result.result.unwrap());
            answered.push(result.call_id);
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, (100..100 + SENDS_MAX).collect::<Vec<_>>());
    world.check_health();
}

/// It is the device's one stream, whatever the other one is.
async fn the_newer_stream_ends_the_older(kind: ClusterKind) {
    let world = World::start(kind).await;
    let token = world.a.ann.token();
    let mut first = Line::open(world.wire.channel(), token).await;
    let mut calls = MessageServiceClient::new(world.wire.channel());
    let request = request_as(token, pb::ReceiveRequest {}).unwrap();
    let mut second = calls.receive(request).await.unwrap().into_inner();
    second.message().await.unwrap().unwrap();
    let ended = loop {
        match first.next().await {
            Ok(event) => assert!(event.is_some(), "a reason before the end"),
            Err(status) => break status,
        }
    };
    assert_eq!(reason_of(&ended), Some(ErrorReason::ConflictingStream));

    let _third = Line::open(world.wire.channel(), token).await;
    let ended = loop {
        match tokio::time::timeout(LIVENESS, second.message()).await.unwrap() {
            Ok(event) => assert!(event.is_some(), "a reason before the end"),
            Err(status) => break status,
        }
    };
    assert_eq!(reason_of(&ended), Some(ErrorReason::ConflictingStream));
}

/// A device that signs out can neither hear nor say anything more on the stream that it has open.
async fn a_stream_ends_with_its_session(kind: ClusterKind) {
    let world = World::start(kind).await;
    let (ann, bob) = (&world.a.ann, &world.a.bob);
    let mut line = Line::open(world.wire.channel(), ann.token()).await;
    line.catch_up().await;
    let request = pb::SignOutRequest {};
    let method = "messaging.v1.SessionService/SignOut";
    let _: pb::SignOutResponse = world.wire.ask(method, Some(ann.token()), &request).await;
    let ended = loop {
        // The stream may take a call as long as it is open; it ends within seconds.
        let call =
            pb::ConnectRequest { call_id: 1, call: Some(Call::Send(world.a.message(ann, bob))) };
        let _ = line.calls.send(call).await;
        match line.next().await {
            Ok(event) => assert!(event.is_some(), "a reason before the end"),
            Err(status) => break status,
        }
    };
    assert_eq!(reason_of(&ended), Some(ErrorReason::Unauthenticated));
}

macro_rules! on_both {
    ($($name:ident => $embedded:ident, $scaled:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $embedded() {
            $name(ClusterKind::Embedded).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $scaled() {
            $name(ClusterKind::Scaled).await;
        }
    )*};
}

on_both! {
    a_stream_carries_everything =>
        a_stream_carries_everything_embedded, a_stream_carries_everything_scaled;
    every_call_is_answered_for_itself =>
        every_call_is_answered_for_itself_embedded, every_call_is_answered_for_itself_scaled;
    the_newer_stream_ends_the_older =>
        the_newer_stream_ends_the_older_embedded, the_newer_stream_ends_the_older_scaled;
    a_stream_ends_with_its_session =>
        a_stream_ends_with_its_session_embedded, a_stream_ends_with_its_session_scaled;
}
