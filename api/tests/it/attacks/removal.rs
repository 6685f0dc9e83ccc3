//! A removed device: by an approver's word on one node, and by the root's, whoever it was.

use std::time::Instant;

use plasma_identity::Manifest;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_testkit::platform::request_as;
use tonic::Streaming;

use super::revocation::{LIST_CHATS, Stage, call, must_end};
use crate::world::Person;

const REVOKE: &str = "/plasma.messaging.v1.DeviceService/RevokeDevice";
const START: &str = "/plasma.messaging.v1.DeviceService/StartGeneration";

/// The user's second device listens on the last node and is removed on the first; then the root
/// removes the first device, which listens on the first node, by a call to the last.
pub(super) async fn removed_devices(
    stage: &Stage,
    mut user: Person,
    mut streams: Vec<Streaming<pb::ReceiveResponse>>,
) {
    let list = pb::ListChatsRequest::default();
    let reason = ErrorReason::Unauthenticated;
    let channels = stage.channels();
    let (here, there) = (&channels[0], &channels[channels.len() - 1]);
    let second = user.devices.pop().unwrap();
    let of_second = match streams.len() {
        1 => {
            let request = request_as(&second.token, pb::ReceiveRequest {}).unwrap();
            let answer = MessageServiceClient::new(there.clone()).receive(request).await.unwrap();
            let mut stream = answer.into_inner();
            stream.message().await.unwrap().unwrap();
            stream
        }
        _ => streams.remove(1),
    };
    stage.must_work(LIST_CHATS, &second.token, &list).await;
    let removal = user.removal(&second);
    let since = Instant::now();
    call(here, REVOKE, user.token(), &removal).await.unwrap();
    let (ends, took) = tokio::join!(
        must_end(vec![of_second]),
        stage.until_refused(since, LIST_CHATS, &second.token, &list, reason),
    );
    println!("a removed device: {took:?}, streams {ends:?}");
    assert!(ends.iter().all(|end| *end == Some(reason)), "{ends:?}");
    stage.must_work(LIST_CHATS, user.token(), &list).await;

    let manifest = Manifest::from_bytes(&removal.manifest).unwrap();
    user.account.advance(&[manifest], &[], crate::world::now()).unwrap();
    let generation = user.generation();
    let since = Instant::now();
    call(there, START, user.token(), &generation).await.unwrap();
    let (ends, took) = tokio::join!(
        must_end(streams),
        stage.until_refused(since, LIST_CHATS, user.token(), &list, reason),
    );
    println!("devices removed by the root: {took:?}, streams {ends:?}");
    assert!(ends.iter().all(|end| *end == Some(reason)), "{ends:?}");
}
