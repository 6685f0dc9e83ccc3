//! A revoked key, a suspended tenant, a blocked user, a signed-out device: nothing of theirs works
//! 5 seconds later, on the node that was told and on the one that was not.

use std::time::{Duration, Instant};

use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_proto::tenant::v1 as tenant;
use plasma_testkit::platform::request_as;
use plasma_testkit::{Cluster, ClusterKind, Onboarding, Platform, secret};
use prost::Message;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use super::removal::removed_devices;
use crate::wire::{Wire, bearer, describe, send_on};
use crate::world::{Person, check_health};

/// The promise.
const AT_MOST: Duration = Duration::from_secs(5);
/// How often a caller tries meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// A service, and whether its bus is dead.
pub(super) struct Stage {
    cluster: Cluster,
    pub(super) wire: Wire,
}

impl Stage {
    /// `None` for the embedded service, else whether Redis has been killed.
    async fn set(redis_is_dead: Option<bool>) -> Self {
        let kind =
            if redis_is_dead.is_some() { ClusterKind::Scaled } else { ClusterKind::Embedded };
        let cluster = Cluster::builder(kind).private_servers().start().await.unwrap();
        let wire = Wire::to(&cluster);
        Self { cluster, wire }
    }

    fn kill_redis(&self) {
        self.cluster.servers().unwrap().redis.started().unwrap().kill().unwrap();
    }

    pub(super) fn channels(&self) -> Vec<Channel> {
        self.cluster.nodes().iter().map(|node| node.channel().unwrap()).collect()
    }

    async fn platform(&self) -> Platform {
        let onboarding = Onboarding::free("Attacked");
        let operator = self.cluster.operator_key();
        Platform::onboard(self.wire.channel(), operator, &onboarding).await.unwrap()
    }

    /// A user with one device for each node, each with a stream that is open there.
    async fn listener(&self, platform: &Platform) -> (Person, Vec<Streaming<pb::ReceiveResponse>>) {
        let mut person = Person::of(&self.wire, platform).await;
        person.add_device(&self.wire).await;
        let mut streams = Vec::new();
        for (channel, device) in self.channels().into_iter().zip(&person.devices) {
            let request = request_as(&device.token, pb::ReceiveRequest {}).unwrap();
            let answer = MessageServiceClient::new(channel).receive(request).await.unwrap();
            let mut stream = answer.into_inner();
            stream.message().await.unwrap().unwrap();
            streams.push(stream);
        }
        (person, streams)
    }

    /// Calls on every node until each refuses; fails where one has not 5 seconds after `since`,
    /// when the change was asked for. Returns how long it took.
    pub(super) async fn until_refused(
        &self,
        since: Instant,
        path: &str,
        credential: &str,
        message: &impl Message,
        reason: ErrorReason,
    ) -> Duration {
        for channel in self.channels() {
            loop {
                match call(&channel, path, credential, message).await {
                    Err(status) if reason_of(&status) == Some(reason) => break,
                    Err(status) => panic!("{path}: {}, expected {reason:?}", describe(&status)),
                    Ok(()) => {}
                }
                assert!(since.elapsed() < AT_MOST, "{path} works after {AT_MOST:?}");
                tokio::time::sleep(LOOK).await;
            }
        }
        since.elapsed()
    }

    /// Calls on every node; each must still answer.
    pub(super) async fn must_work(&self, path: &str, credential: &str, message: &impl Message) {
        for channel in self.channels() {
            if let Err(status) = call(&channel, path, credential, message).await {
                panic!("{path}: {}", describe(&status));
            }
        }
    }
}

pub(super) async fn call(
    channel: &Channel,
    path: &str,
    credential: &str,
    message: &impl Message,
) -> Result<(), Status> {
    let mut request = Request::new(message.encode_to_vec().into());
    request.metadata_mut().insert("authorization", bearer(credential));
    send_on(channel.clone(), path, request).await.map(drop)
}

/// Every stream ends before the deadline; with what, of each.
pub(super) async fn must_end(
    streams: Vec<Streaming<pb::ReceiveResponse>>,
) -> Vec<Option<ErrorReason>> {
    let deadline = tokio::time::Instant::now() + AT_MOST;
    let mut ends = Vec::new();
    for mut stream in streams {
        let end = tokio::time::timeout_at(deadline, async {
            loop {
                match stream.message().await {
                    Ok(Some(_)) => {}
                    Ok(None) => return None,
                    Err(status) => return reason_of(&status),
                }
            }
        });
        ends.push(end.await.unwrap_or_else(|_| panic!("a stream is open after {AT_MOST:?}")));
    }
    ends
}

const GET_TENANT: &str = "/plasma.tenant.v1.TenantService/GetTenant";
pub(super) const LIST_CHATS: &str = "/plasma.messaging.v1.ChatService/ListChats";

async fn what_ends_an_access_ends_it_in_time(redis_is_dead: Option<bool>) {
    let stage = Stage::set(redis_is_dead).await;
    let bystander = stage.platform().await;
    let (witness, mut open) = stage.listener(&bystander).await;
    let platform = stage.platform().await;
    let (blocked, streams_of_blocked) = stage.listener(&platform).await;
    let (gone, streams_of_gone) = stage.listener(&platform).await;
    let (member, streams_of_member) = stage.listener(&platform).await;
    let (removed, streams_of_removed) = stage.listener(&platform).await;
    if redis_is_dead == Some(true) {
        stage.kill_redis();
    }

    a_revoked_key(&stage, &platform).await;
    a_blocked_user(&stage, &platform, &blocked, streams_of_blocked).await;
    a_signed_out_device(&stage, &gone, streams_of_gone).await;
    removed_devices(&stage, removed, streams_of_removed).await;
    a_suspended_tenant(&stage, &platform, &member, streams_of_member).await;

    // What was not revoked goes on.
    let list = pb::ListChatsRequest::default();
    stage.must_work(LIST_CHATS, witness.token(), &list).await;
    for stream in &mut open {
        let next = tokio::time::timeout(Duration::from_millis(200), stream.message()).await;
        assert!(matches!(next, Err(_) | Ok(Ok(Some(_)))), "a bystander's stream ended: {next:?}");
    }
    check_health(&stage.cluster);
}

async fn a_revoked_key(stage: &Stage, platform: &Platform) {
    let tenant_id = platform.tenant_id().to_owned();
    let creation = tenant::CreateApiKeyRequest {
        request_id: secret::request_id(),
        tenant_id: tenant_id.clone(),
        label: "to be revoked".to_owned(),
        scopes: vec![tenant::ApiKeyScope::Backend.into()],
    };
    let method = "tenant.v1.ApiKeyService/CreateApiKey";
    let admin = Some(platform.admin_key());
    let made: tenant::CreateApiKeyResponse = stage.wire.ask(method, admin, &creation).await;
    let get = tenant::GetTenantRequest { tenant_id: tenant_id.clone() };
    // Every node knows the key by now.
    stage.must_work(GET_TENANT, &made.secret, &get).await;
    let revoke = tenant::RevokeApiKeyRequest {
        request_id: secret::request_id(),
        tenant_id,
        api_key_id: made.api_key.unwrap().api_key_id,
    };
    let method = "tenant.v1.ApiKeyService/RevokeApiKey";
    let since = Instant::now();
    let _: tenant::RevokeApiKeyResponse = stage.wire.ask(method, admin, &revoke).await;
    let reason = ErrorReason::Unauthenticated;
    let took = stage.until_refused(since, GET_TENANT, &made.secret, &get, reason).await;
    println!("a revoked key: {took:?}");
    stage.must_work(GET_TENANT, platform.admin_key(), &get).await;
}

async fn a_blocked_user(
    stage: &Stage,
    platform: &Platform,
    user: &Person,
    streams: Vec<Streaming<pb::ReceiveResponse>>,
) {
    let list = pb::ListChatsRequest::default();
    stage.must_work(LIST_CHATS, user.token(), &list).await;
    let request_id = secret::request_id();
    let block = tenant::BlockUserRequest { request_id, user_id: user.user_id() };
    let method = "tenant.v1.UserService/BlockUser";
    let backend = Some(platform.backend_key());
    let since = Instant::now();
    let _: tenant::BlockUserResponse = stage.wire.ask(method, backend, &block).await;
    let (ends, took) = tokio::join!(
        must_end(streams),
        stage.until_refused(since, LIST_CHATS, user.token(), &list, ErrorReason::UserBlocked)
    );
    println!("a blocked user: {took:?}, streams {ends:?}");
    assert!(ends.iter().all(|end| *end == Some(ErrorReason::UserBlocked)), "{ends:?}");
    let request = pb::ExchangeTokenRequest {
        tenant_id: platform.tenant_id().to_owned(),
        platform_token: platform.user_token(&user.sub).unwrap(),
    };
    let path = "/plasma.messaging.v1.SessionService/ExchangeToken";
    let answer = stage.wire.call(path, None, request.encode_to_vec()).await;
    assert_eq!(reason_of(&answer.unwrap_err()), Some(ErrorReason::UserBlocked));
}

async fn a_signed_out_device(
    stage: &Stage,
    user: &Person,
    streams: Vec<Streaming<pb::ReceiveResponse>>,
) {
    let list = pb::ListChatsRequest::default();
    for device in &user.devices {
        stage.must_work(LIST_CHATS, &device.token, &list).await;
        let method = "messaging.v1.SessionService/SignOut";
        let request = pb::SignOutRequest {};
        let since = Instant::now();
        let _: pb::SignOutResponse = stage.wire.ask(method, Some(&device.token), &request).await;
        let reason = ErrorReason::Unauthenticated;
        stage.until_refused(since, LIST_CHATS, &device.token, &list, reason).await;
    }
    let ends = must_end(streams).await;
    println!("a signed-out device: streams {ends:?}");
}

async fn a_suspended_tenant(
    stage: &Stage,
    platform: &Platform,
    user: &Person,
    streams: Vec<Streaming<pb::ReceiveResponse>>,
) {
    let list = pb::ListChatsRequest::default();
    let tenant_id = platform.tenant_id().to_owned();
    let get = tenant::GetTenantRequest { tenant_id: tenant_id.clone() };
    stage.must_work(LIST_CHATS, user.token(), &list).await;
    stage.must_work(GET_TENANT, platform.admin_key(), &get).await;
    let operator = Some(stage.cluster.operator_key());
    let suspend = tenant::SuspendTenantRequest {
        request_id: secret::request_id(),
        tenant_id: tenant_id.clone(),
    };
    let method = "tenant.v1.TenantService/SuspendTenant";
    let since = Instant::now();
    let _: tenant::SuspendTenantResponse = stage.wire.ask(method, operator, &suspend).await;
    let reason = ErrorReason::TenantSuspended;
    let (ends, by_token, by_key) = tokio::join!(
        must_end(streams),
        stage.until_refused(since, LIST_CHATS, user.token(), &list, reason),
        stage.until_refused(since, GET_TENANT, platform.admin_key(), &get, reason),
    );
    println!("a suspended tenant: {by_token:?}, {by_key:?}, streams {ends:?}");
    assert!(ends.iter().all(|end| *end == Some(reason)), "{ends:?}");

    let resume = tenant::ResumeTenantRequest { request_id: secret::request_id(), tenant_id };
    let method = "tenant.v1.TenantService/ResumeTenant";
    let _: tenant::ResumeTenantResponse = stage.wire.ask(method, operator, &resume).await;
    tokio::time::sleep(AT_MOST).await;
    stage.must_work(GET_TENANT, platform.admin_key(), &get).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_an_access_ends_it_within_5_seconds_on_one_node() {
    what_ends_an_access_ends_it_in_time(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_an_access_ends_it_within_5_seconds_on_both_nodes() {
    what_ends_an_access_ends_it_in_time(Some(false)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_an_access_ends_it_within_5_seconds_on_both_nodes_with_redis_killed() {
    what_ends_an_access_ends_it_in_time(Some(true)).await;
}
