use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::status::ErrorReason;
use plasma_proto::tenant::v1 as pb;
use plasma_tenant::Standing;
use tonic::Code;

use crate::support::platform::{Signer, claims, failed};
use crate::support::{Node, on_each_database, refused, refused_field, same_bytes};

fn block(node: &Node, user: UserId) -> pb::BlockUserRequest {
    pb::BlockUserRequest { request_id: node.request_id(), user_id: user.to_string() }
}

fn unblock(node: &Node, user: UserId) -> pb::UnblockUserRequest {
    pb::UnblockUserRequest { request_id: node.request_id(), user_id: user.to_string() }
}

fn lookup(subject: &str) -> pb::LookupUserRequest {
    pb::LookupUserRequest { partner_user_id: subject.to_owned() }
}

async fn user(node: &Node, tenant: TenantId, signer: &Signer, subject: &str) -> UserId {
    let token = signer.sign(&claims(&node.env, subject));
    node.tenants.accept_platform_token(tenant, &token).await.expect("a user")
}

#[tokio::test]
async fn a_user_is_found_by_exactly_the_platforms_id_and_by_its_platform_only() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signer = Signer::eddsa("ed-1", 4);
        let tenant = node.platform(std::slice::from_ref(&signer)).await;
        let other = node.platform(std::slice::from_ref(&signer)).await;
        let mut backend = node.key_of(tenant).users;
        let absent = backend.lookup_user(lookup("Ann")).await;
        let absent = refused(absent, Code::NotFound, ErrorReason::NotFound);
        let ann = user(&node, tenant, &signer, "Ann").await;
        let found = backend.lookup_user(lookup("Ann")).await.unwrap().into_inner().user.unwrap();
        assert_eq!(
            (found.user_id.clone(), found.state()),
            (ann.to_string(), pb::UserState::Active)
        );
        for near in ["ann", "Ann ", "An", "Ann%", "%", "_nn", "Ann'--"] {
            same_bytes(&backend.lookup_user(lookup(near)).await.unwrap_err(), &absent);
        }
        let foreign = node.key_of(other).users.lookup_user(lookup("Ann")).await;
        same_bytes(&foreign.unwrap_err(), &absent);
        for bad in ["", "a\u{0}", &"a".repeat(256)] {
            refused_field(backend.lookup_user(lookup(bad)).await, "partner_user_id");
        }
        let operator = node.operator().users.lookup_user(lookup("Ann")).await;
        refused(operator, Code::PermissionDenied, ErrorReason::PrincipalNotAllowed);
    })
    .await;
}

#[tokio::test]
async fn a_blocked_user_is_refused_until_it_is_unblocked() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signer = Signer::eddsa("ed-1", 4);
        let tenant = node.platform(std::slice::from_ref(&signer)).await;
        let ann = user(&node, tenant, &signer, "ann").await;
        let mut backend = node.key_of(tenant).users;
        let request = block(&node, ann);
        let answer = backend.block_user(request.clone()).await.unwrap().into_inner();
        assert_eq!(answer.user.as_ref().unwrap().state(), pb::UserState::Blocked);
        for request in [request, block(&node, ann)] {
            assert_eq!(backend.block_user(request).await.unwrap().into_inner(), answer);
        }
        let row = world.query("SELECT kind, subject_id FROM revocations").await.unwrap();
        let (kind, subject): (i16, _) =
            (row.try_get("", "kind").unwrap(), row.try_get("", "subject_id").unwrap());
        assert_eq!((kind, UserId(subject), world.count("revocations").await), (3, ann, 1));
        assert_eq!(node.tenants.user_standing(tenant, ann).await.unwrap(), Standing::Blocked);

        let token = signer.sign(&claims(&node.env, "ann"));
        let refusal = node.tenants.accept_platform_token(tenant, &token).await;
        refused(refusal, Code::PermissionDenied, ErrorReason::UserBlocked);
        let explained = node.explain(tenant, &token).await;
        assert_eq!((explained.valid, failed(&explained)), (false, vec!["sub"]));
        user(&node, tenant, &signer, "bob").await;

        let answer = backend.unblock_user(unblock(&node, ann)).await.unwrap().into_inner();
        assert_eq!(answer.user.as_ref().unwrap().state(), pb::UserState::Active);
        assert_eq!(backend.unblock_user(unblock(&node, ann)).await.unwrap().into_inner(), answer);
        assert_eq!(node.tenants.user_standing(tenant, ann).await.unwrap(), Standing::Active);
        assert_eq!(node.tenants.accept_platform_token(tenant, &token).await.unwrap(), ann);
    })
    .await;
}

#[tokio::test]
async fn parallel_blocks_record_one_revocation() {
    on_each_database(async |world| {
        let nodes = [world.node().await, world.node().await];
        let signer = Signer::eddsa("ed-1", 4);
        let tenant = nodes[0].platform(std::slice::from_ref(&signer)).await;
        let ann = user(&nodes[0], tenant, &signer, "ann").await;
        let calls = (0..12).map(|index: usize| {
            let node = &nodes[index % 2];
            let (mut backend, request) = (node.key_of(tenant).users, block(node, ann));
            tokio::spawn(async move { backend.block_user(request).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let user = call.await.unwrap().unwrap().into_inner().user.unwrap();
            assert_eq!(user.state(), pb::UserState::Blocked);
        }
        assert_eq!(world.count("revocations").await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_users_of_another_tenant_answer_exactly_as_absent_ones() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signer = Signer::eddsa("ed-1", 4);
        let tenant = node.platform(std::slice::from_ref(&signer)).await;
        let other = node.platform(std::slice::from_ref(&signer)).await;
        let ann = user(&node, tenant, &signer, "ann").await;
        let theirs = user(&node, other, &signer, "ann").await;
        let mut backend = node.key_of(tenant).users;
        backend.block_user(block(&node, ann)).await.unwrap();
        backend.unblock_user(unblock(&node, ann)).await.unwrap();
        let mut statuses = Vec::new();
        for user in [theirs, UserId(node.env.uuid())] {
            statuses.push(backend.block_user(block(&node, user)).await.unwrap_err());
            statuses.push(backend.unblock_user(unblock(&node, user)).await.unwrap_err());
        }
        for status in &statuses {
            assert_eq!(status.code(), Code::NotFound);
            same_bytes(status, &statuses[0]);
        }
        assert_eq!(node.tenants.user_standing(other, theirs).await.unwrap(), Standing::Active);
    })
    .await;
}
