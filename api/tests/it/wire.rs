//! Calls of any method with any bytes, over real gRPC.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;
use plasma_proto::messaging::v1 as pb;
use plasma_testkit::Cluster;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use tonic_types::StatusExt;

use crate::contract;

/// Longer than any call of a test may take: a pull waits for a second at most here.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How often a call that builds the world waits for its rate limit.
const RATE_ATTEMPTS: u32 = 40;

/// Passes messages through as they are.
#[derive(Debug, Clone, Copy, Default)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Connections to every node. Calls go to the nodes in turn.
#[derive(Debug)]
pub(crate) struct Wire {
    channels: Vec<Channel>,
    turn: AtomicUsize,
}

impl Wire {
    pub(crate) fn to(cluster: &Cluster) -> Self {
        let channels = cluster.nodes().iter().map(|node| node.channel().unwrap()).collect();
        Self { channels, turn: AtomicUsize::new(0) }
    }

    /// The connection to the node whose turn it is.
    pub(crate) fn channel(&self) -> Channel {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.channels[turn % self.channels.len()].clone()
    }

    /// Calls a method with a credential; the answer's bytes, of a stream the first message's or,
    /// where the stream carries calls, the call's.
    pub(crate) async fn call(
        &self,
        path: &str,
        credential: Option<&str>,
        body: impl Into<Bytes>,
    ) -> Result<Bytes, Status> {
        let mut request = Request::new(body.into());
        if let Some(credential) = credential {
            request.metadata_mut().insert("authorization", bearer(credential));
        }
        self.send(path, request).await
    }

    /// Calls a method with metadata of the caller's choice.
    pub(crate) async fn send(&self, path: &str, request: Request<Bytes>) -> Result<Bytes, Status> {
        let call = send_on(self.channel(), path, request);
        let answer = tokio::time::timeout(CALL_TIMEOUT, call).await;
        answer.unwrap_or_else(|_| panic!("{path} did not answer in {CALL_TIMEOUT:?}"))
    }

    /// Calls a method that must succeed. Waits where the rate limit says so.
    pub(crate) async fn ask<R: Message + Default>(
        &self,
        method: &str,
        credential: Option<&str>,
        message: &impl Message,
    ) -> R {
        let path = format!("/plasma.{method}");
        for _ in 0..RATE_ATTEMPTS {
            match self.call(&path, credential, message.encode_to_vec()).await {
                Ok(answer) => return R::decode(answer).unwrap(),
                Err(status) if reason_of(&status) == Some(ErrorReason::RateLimited) => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(status) => panic!("{method}: {}", describe(&status)),
            }
        }
        panic!("{method} stays rate-limited");
    }
}

/// Calls a method on one connection.
pub(crate) async fn send_on(
    channel: Channel,
    path: &str,
    request: Request<Bytes>,
) -> Result<Bytes, Status> {
    let mut grpc = Grpc::new(channel).max_decoding_message_size(usize::MAX);
    grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let place = PathAndQuery::try_from(path).unwrap();
    if !contract::is_streaming(path) {
        return Ok(grpc.unary(request, place, BytesCodec).await?.into_inner());
    }
    if !contract::takes_many(path) {
        let mut stream = grpc.server_streaming(request, place, BytesCodec).await?.into_inner();
        let first = stream.message().await?;
        return first.ok_or_else(|| Status::unknown("the stream ended without a message"));
    }
    let request = request.map(|message| tokio_stream::once(message));
    result_of_one(grpc.streaming(request, place, BytesCodec).await?.into_inner()).await
}

/// What became of the one call on a stream; nothing where it needs no answer.
async fn result_of_one(mut stream: Streaming<Bytes>) -> Result<Bytes, Status> {
    let mut answer = Bytes::new();
    while let Some(event) = stream.message().await? {
        let event = pb::ConnectResponse::decode(event).unwrap().event.unwrap();
        let pb::connect_response::Event::Result(result) = event else { continue };
        let outcome = result.result.unwrap();
        if let pb::call_result::Result::Error(error) = outcome {
            let details = error.encode_to_vec();
            return Err(Status::with_details(error.code.into(), error.message, details.into()));
        }
        let result = pb::CallResult { call_id: 0, result: Some(outcome) };
        answer = result.encode_to_vec().into();
    }
    Ok(answer)
}

/// The value of `authorization` for a credential.
pub(crate) fn bearer(credential: &str) -> MetadataValue<Ascii> {
    format!("Bearer {credential}").parse().unwrap()
}

/// A status for a person.
pub(crate) fn describe(status: &Status) -> String {
    format!("{:?} {:?} {:?}", status.code(), reason_of(status), status.message())
}

/// The `metadata.field` of a refusal, and the field that its `BadRequest` names.
pub(crate) fn fields_named(status: &Status) -> (Option<String>, Option<String>) {
    let info = status.get_details_error_info();
    let told = info.and_then(|info| info.metadata.get("field").cloned());
    let bad = status.get_details_bad_request();
    let violation = bad.and_then(|bad| bad.field_violations.first().map(|v| v.field.clone()));
    (told, violation)
}
