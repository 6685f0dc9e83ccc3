//! What no message of the contract is: broken protobuf, broken frames, too much of everything.

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;
use plasma_testkit::{ClusterKind, secret};
use prost::Message;
use prost_reflect::{Kind, ReflectMessage as _};
use tonic::body::Body;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request, Status};
use tower::{Service as _, ServiceExt as _};

use crate::fixtures::{self, Call};
use crate::wire::{bearer, describe};
use crate::world::World;
use crate::{contract, rows};

const MEBIBYTE: usize = 1_024 * 1_024;
/// How many random bodies each method gets.
const RANDOM_BODIES: usize = 20;

/// Sends a body as it is, whatever it is, and reads the status of the answer.
async fn raw(world: &World, path: &str, credential: Option<&str>, body: Bytes) -> Status {
    let mut channel = world.wire.channel();
    let mut request = http::Request::post(format!("http://plasma.test{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    if let Some(credential) = credential {
        request = request.header("authorization", bearer(credential).to_str().unwrap());
    }
    let request = request.body(Body::new(Full::new(body).map_err(|never| match never {}))).unwrap();
    let response = channel.ready().await.unwrap().call(request).await.unwrap();
    let (head, body) = response.into_parts();
    assert_eq!(head.status, 200, "{path}: gRPC answers with HTTP 200");
    if let Some(status) = Status::from_header_map(&head.headers) {
        return status;
    }
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().unwrap_or_else(|| panic!("{path}: an answer without a status"));
    Status::from_header_map(trailers).unwrap()
}

fn frame(flag: u8, length: usize, body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(flag);
    out.put_u32(u32::try_from(length).unwrap());
    out.put_slice(body);
    out.freeze()
}

fn is_malformed(status: &Status) -> bool {
    status.code() == Code::InvalidArgument
        && reason_of(status) == Some(ErrorReason::MalformedRequest)
}

/// Bodies that are no protobuf message of the request's type.
fn malformed(call: &Call) -> Vec<(&'static str, Vec<u8>)> {
    let mut found = vec![
        ("an endless number", vec![0xff; 11]),
        ("a length beyond the end", vec![0x0a, 0x7f, 1]),
        ("an unknown wire type", vec![0x0f]),
        ("field 0", vec![0x02, 0x00]),
        ("an open group", vec![0x0b]),
        ("a group that was never opened", vec![0x0c]),
        ("groups without end", vec![0x0b; 100_000]),
    ];
    let descriptor = call.message.descriptor();
    if let Some(field) = descriptor.fields().next() {
        let number = u8::try_from(field.number()).unwrap();
        let other_type = if matches!(field.kind(), Kind::Int32 | Kind::Enum(_)) { 5 } else { 0 };
        found.push(("another wire type", vec![number << 3 | other_type, 1, 1, 1, 1]));
    }
    if let Some(field) = descriptor.fields().find(|field| field.kind() == Kind::String) {
        let number = u8::try_from(field.number()).unwrap();
        found.push(("bytes that are no UTF-8", vec![number << 3 | 2, 2, 0xc3, 0x28]));
    }
    found
}

async fn broken_requests_are_refused(kind: ClusterKind) {
    let world = World::start(kind).await;
    let mut failed = Vec::new();
    for path in contract::paths() {
        let call = fixtures::must_build(&world, &world.a, path, 0).await;
        let credential = call.credential.as_deref();
        let before = world.database.rows();
        let mut object = |name: &str, status: Result<Bytes, Status>| match status {
            Err(status) if is_malformed(&status) => {}
            Err(status) => failed.push(format!("{path} {name}: {}", describe(&status))),
            Ok(_) => failed.push(format!("{path} {name}: succeeded")),
        };
        for (name, body) in malformed(&call) {
            object(name, world.wire.call(path, credential, body).await);
        }
        let good = call.message.encode_to_vec();
        let broken = [
            ("no frame", Bytes::new()),
            ("half of a frame's head", Bytes::from_static(&[0, 0])),
            ("a frame cut short", frame(0, good.len() + 100, &good)),
            ("a compressed frame", frame(1, good.len(), &good)),
            ("an unknown flag", frame(9, good.len(), &good)),
        ];
        // A stream of requests may have none.
        let broken = broken.into_iter().skip(usize::from(contract::takes_many(path)));
        for (name, body) in broken {
            object(name, Err(raw(&world, path, credential, body).await));
        }
        // Any fields at all are fields that an empty request does not know, and passes over.
        let randoms = if contract::fields_of(path).is_empty() { 0 } else { RANDOM_BODIES };
        for _ in 0..randoms {
            let body = secret::bytes::<48>().to_vec();
            if let Err(status) = world.wire.call(path, credential, body).await {
                // Some random bytes are a message, of which a field breaks its rule.
                let known = status.code() == Code::InvalidArgument;
                assert!(known, "{path} random bytes: {}", describe(&status));
            }
        }
        let changed = rows::difference(&before, &world.database.rows());
        if !changed.is_empty() {
            failed.push(format!("{path} stored {}", changed.join(" ")));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    world.check_health();
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_requests_are_refused_as_malformed_embedded() {
    broken_requests_are_refused(ClusterKind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_requests_are_refused_as_malformed_scaled() {
    broken_requests_are_refused(ClusterKind::Scaled).await;
}

/// A request of a length, in an unknown field that every message takes and passes over.
fn of_length(length: usize) -> Vec<u8> {
    // Field 1000, of a length in four bytes.
    let mut out = vec![0xc2, 0x3e];
    let content = length - out.len() - 4;
    prost::encoding::encode_varint(u64::try_from(content).unwrap(), &mut out);
    assert_eq!(out.len(), 6);
    out.resize(length, 7);
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_above_4_mib_is_too_large_for_every_method() {
    let world = World::start(ClusterKind::Embedded).await;
    for path in contract::paths() {
        let call = fixtures::must_build(&world, &world.a, path, 0).await;
        let credential = call.credential.as_deref();
        let mut body = call.message.encode_to_vec();
        body.extend(of_length(4 * MEBIBYTE - body.len()));
        if let Err(status) = world.wire.call(path, credential, body).await {
            panic!("{path} with 4 MiB: {}", describe(&status));
        }
        // The first may have used its request up, or ended its caller's session.
        let call = fixtures::must_build(&world, &world.a, path, 0).await;
        let mut body = call.message.encode_to_vec();
        body.extend(of_length(4 * MEBIBYTE + 1 - body.len()));
        let answer = world.wire.call(path, call.credential.as_deref(), body).await;
        let status = answer.expect_err(path);
        assert_eq!(status.code(), Code::ResourceExhausted, "{path}: {}", describe(&status));
        assert_eq!(reason_of(&status), Some(ErrorReason::RequestTooLarge), "{path}");
    }
    // A length that is only claimed is not waited for and not reserved.
    let path = "/plasma.messaging.v1.SessionService/ExchangeToken";
    let status = raw(&world, path, None, frame(0, u32::MAX as usize, b"x")).await;
    assert_eq!(reason_of(&status), Some(ErrorReason::RequestTooLarge), "{}", describe(&status));
    world.check_health();
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_metadata_is_refused_and_the_server_lives() {
    let world = World::start(ClusterKind::Embedded).await;
    let call =
        fixtures::must_build(&world, &world.a, "/plasma.tenant.v1.TenantService/GetTenant", 0);
    let call = call.await;
    let with_metadata = |bytes: usize| {
        let mut request = Request::new(Bytes::from(call.message.encode_to_vec()));
        let credential = bearer(call.credential.as_deref().unwrap());
        request.metadata_mut().insert("authorization", credential);
        let value: MetadataValue<Ascii> = "x".repeat(bytes).parse().unwrap();
        request.metadata_mut().insert("x-much", value);
        world.wire.send(call.path, request)
    };
    with_metadata(8 * 1_024).await.unwrap();
    for _ in 0..3 {
        let status = with_metadata(17 * 1_024).await.unwrap_err();
        assert_ne!(reason_of(&status), Some(ErrorReason::Internal), "{}", describe(&status));
        call.send(&world).await.unwrap();
    }
    world.check_health();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_is_not_there_is_unimplemented_with_a_reason() {
    let world = World::start(ClusterKind::Embedded).await;
    let operator = world.cluster.operator_key();
    for path in [
        "/plasma.tenant.v1.TenantService/DropTenant",
        "/plasma.tenant.v1.NoService/GetTenant",
        "/plasma.tenant.v2.TenantService/GetTenant",
        "/plasma.tenant.v1.TenantService/gettenant",
    ] {
        for credential in [None, Some(operator)] {
            let status = raw(&world, path, credential, frame(0, 0, b"")).await;
            assert_eq!(status.code(), Code::Unimplemented, "{path}: {}", describe(&status));
            assert_eq!(reason_of(&status), Some(ErrorReason::Unimplemented), "{path}");
        }
    }
    world.check_health();
}
