//! The relay's service, written by hand in the form in which code is generated from a contract.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dashmap::DashMap;
use futures::Stream;
use futures::future::BoxFuture;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::{Grpc, NamedService, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::connect::{Connected, Events};
use super::messages::{
    AcknowledgeRequest, AcknowledgeResponse, ConnectRequest, ConnectResponse, Envelope,
    ReceiveRequest, SendRequest, SendResponse,
};

/// Takes a [`SendRequest`].
pub const SEND_PATH: &str = "/bench.relay.v1.Relay/Send";
/// Takes a [`ReceiveRequest`], streams [`Envelope`].
pub const RECEIVE_PATH: &str = "/bench.relay.v1.Relay/Receive";
/// Takes an [`AcknowledgeRequest`].
pub const ACKNOWLEDGE_PATH: &str = "/bench.relay.v1.Relay/Acknowledge";
/// Takes a stream of [`ConnectRequest`], streams [`ConnectResponse`].
pub const CONNECT_PATH: &str = "/bench.relay.v1.Relay/Connect";

/// Deliveries that may wait for a stream.
pub(super) const QUEUE_LENGTH: usize = 64;

type Delivery = Result<Envelope, Status>;

/// Streams by device.
#[derive(Debug, Clone, Default)]
pub struct Relay {
    streams: Arc<DashMap<String, mpsc::Sender<Delivery>>>,
    connected: Connected,
}

impl Relay {
    async fn send(self, request: SendRequest) -> Result<SendResponse, Status> {
        let stream = self.streams.get(&request.device_id).map(|entry| entry.value().clone());
        let stream = stream.ok_or_else(|| Status::not_found("no stream of this device"))?;
        let SendRequest { envelope_id, ciphertext, .. } = request;
        let sent = stream.send(Ok(Envelope { envelope_id, ciphertext })).await;
        sent.map_err(|_| Status::unavailable("the stream has ended"))?;
        Ok(SendResponse {})
    }

    fn receive(&self, request: ReceiveRequest) -> Deliveries {
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        self.streams.insert(request.device_id, sender);
        Deliveries(receiver)
    }
}

/// The stream of one device.
#[derive(Debug)]
pub struct Deliveries(mpsc::Receiver<Delivery>);

impl Stream for Deliveries {
    type Item = Delivery;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.0.poll_recv(context)
    }
}

impl NamedService for Relay {
    const NAME: &'static str = "bench.relay.v1.Relay";
}

impl Service<http::Request<Body>> for Relay {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let relay = self.clone();
        match request.uri().path() {
            SEND_PATH => Box::pin(async move {
                Ok(Grpc::new(ProstCodec::default()).unary(SendCall(relay), request).await)
            }),
            ACKNOWLEDGE_PATH => Box::pin(async move {
                Ok(Grpc::new(ProstCodec::default()).unary(AcknowledgeCall, request).await)
            }),
            RECEIVE_PATH => Box::pin(async move {
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok(grpc.server_streaming(ReceiveCall(relay), request).await)
            }),
            CONNECT_PATH => Box::pin(async move {
                let mut grpc = Grpc::new(ProstCodec::default());
                Ok(grpc.streaming(ConnectCall(relay), request).await)
            }),
            _ => Box::pin(async { Ok(Status::new(Code::Unimplemented, "").into_http()) }),
        }
    }
}

type Answer<R> = Result<Response<R>, Status>;

struct SendCall(Relay);

impl UnaryService<SendRequest> for SendCall {
    type Response = SendResponse;
    type Future = BoxFuture<'static, Answer<SendResponse>>;

    fn call(&mut self, request: Request<SendRequest>) -> Self::Future {
        let relay = self.0.clone();
        Box::pin(async move { relay.send(request.into_inner()).await.map(Response::new) })
    }
}

struct AcknowledgeCall;

impl UnaryService<AcknowledgeRequest> for AcknowledgeCall {
    type Response = AcknowledgeResponse;
    type Future = BoxFuture<'static, Answer<AcknowledgeResponse>>;

    fn call(&mut self, _: Request<AcknowledgeRequest>) -> Self::Future {
        Box::pin(async { Ok(Response::new(AcknowledgeResponse {})) })
    }
}

struct ReceiveCall(Relay);

impl ServerStreamingService<ReceiveRequest> for ReceiveCall {
    type Response = Envelope;
    type ResponseStream = Deliveries;
    type Future = BoxFuture<'static, Answer<Deliveries>>;

    fn call(&mut self, request: Request<ReceiveRequest>) -> Self::Future {
        let deliveries = self.0.receive(request.into_inner());
        Box::pin(async { Ok(Response::new(deliveries)) })
    }
}

struct ConnectCall(Relay);

impl StreamingService<ConnectRequest> for ConnectCall {
    type Response = ConnectResponse;
    type ResponseStream = Events;
    type Future = BoxFuture<'static, Answer<Events>>;

    fn call(&mut self, request: Request<Streaming<ConnectRequest>>) -> Self::Future {
        let events = self.0.connected.connect(request.into_inner());
        Box::pin(async { Ok(Response::new(events)) })
    }
}
