use std::time::Duration;

use plasma_kit::ids::{ApiKeyId, TenantId};
use plasma_kit::status::ErrorReason;
use plasma_proto::tenant::v1 as pb;
use tonic::Code;

use crate::support::{Node, on_each_database, refused, refused_field, same_bytes, within};

type Spoil = fn(&mut pb::CreateApiKeyRequest);

fn create(node: &Node, tenant: TenantId, scopes: &[pb::ApiKeyScope]) -> pb::CreateApiKeyRequest {
    pb::CreateApiKeyRequest {
        request_id: node.request_id(),
        tenant_id: tenant.to_string(),
        label: "billing job".to_owned(),
        scopes: scopes.iter().map(|scope| (*scope).into()).collect(),
    }
}

fn revoke(node: &Node, tenant: TenantId, key: &str) -> pb::RevokeApiKeyRequest {
    pb::RevokeApiKeyRequest {
        request_id: node.request_id(),
        tenant_id: tenant.to_string(),
        api_key_id: key.to_owned(),
    }
}

fn list(tenant: TenantId) -> pb::ListApiKeysRequest {
    pb::ListApiKeysRequest {
        tenant_id: tenant.to_string(),
        page_size: 0,
        page_token: String::new(),
    }
}

async fn created(node: &Node, tenant: TenantId) -> (pb::ApiKey, String) {
    let request = create(node, tenant, &[pb::ApiKeyScope::Backend]);
    let answer =
        node.key_of(tenant).keys.create_api_key(request).await.expect("a key").into_inner();
    (answer.api_key.expect("a key"), answer.secret)
}

#[tokio::test]
async fn a_secret_authenticates_its_key_and_is_kept_as_a_hash() {
    on_each_database(async |world| {
        let node = world.node().await;
        let tenant = node.tenant().await;
        let scopes = [pb::ApiKeyScope::Backend, pb::ApiKeyScope::Admin];
        let request = create(&node, tenant, &scopes);
        let mut admin = node.key_of(tenant).keys;
        let answer = admin.create_api_key(request.clone()).await.unwrap().into_inner();
        let (key, secret) = (answer.api_key.clone().unwrap(), answer.secret.clone());
        assert_eq!(key.secret_prefix, secret[..12]);
        assert!(secret.starts_with("sk_live_") && secret.len() == 51, "{secret}");
        assert_eq!(key.scopes, [pb::ApiKeyScope::Admin as i32, pb::ApiKeyScope::Backend as i32]);
        assert_eq!(admin.create_api_key(request).await.unwrap().into_inner(), answer);

        let actor = node.tenants.authenticate_key(&secret).await.unwrap();
        assert_eq!((actor.tenant, actor.key.to_string()), (tenant, key.api_key_id));
        assert!(actor.admin && actor.backend);
        let (_, backend) = created(&node, tenant).await;
        let actor = node.tenants.authenticate_key(&backend).await.unwrap();
        assert!(!actor.admin && actor.backend);

        let row = world.query("SELECT * FROM api_keys ORDER BY created_at").await.unwrap();
        let hash: Vec<u8> = row.try_get("", "secret_hash").unwrap();
        assert_eq!(hash, <sha2::Sha256 as sha2::Digest>::digest(&secret).to_vec());
        for row in ["api_keys", "idempotency_keys"] {
            let row = world.query(&format!("SELECT * FROM {row}")).await.unwrap();
            assert!(!format!("{row:?}").contains(&secret[12..]));
        }
        for wrong in ["", "sk_live_", &secret[..50], &secret.replace("live", "test"), &backend[1..]]
        {
            let answer = node.tenants.authenticate_key(wrong).await;
            refused(answer, Code::Unauthenticated, ErrorReason::Unauthenticated);
        }
        let unknown = format!("sk_live_{}", "A".repeat(43));
        let answer = node.tenants.authenticate_key(&unknown).await;
        refused(answer, Code::Unauthenticated, ErrorReason::Unauthenticated);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_on_every_node_within_five_seconds() {
    on_each_database(async |world| {
        let nodes = [world.node().await, world.node().await, world.deaf_node().await];
        let tenant = nodes[0].tenant().await;
        let (key, secret) = created(&nodes[0], tenant).await;
        let (_, other) = created(&nodes[0], tenant).await;
        for node in &nodes {
            node.tenants.authenticate_key(&secret).await.unwrap();
        }
        let mut admin = nodes[0].key_of(tenant).keys;
        let request = revoke(&nodes[0], tenant, &key.api_key_id);
        let answer = admin.revoke_api_key(request.clone()).await.unwrap().into_inner();
        assert!(answer.api_key.as_ref().unwrap().revoke_time.is_some());
        let again = revoke(&nodes[0], tenant, &key.api_key_id);
        for request in [request, again] {
            assert_eq!(admin.revoke_api_key(request).await.unwrap().into_inner(), answer);
        }
        assert_eq!(world.count("revocations").await, 1);

        let own = nodes[0].tenants.authenticate_key(&secret).await;
        refused(own, Code::Unauthenticated, ErrorReason::Unauthenticated);
        for (node, limit) in [(&nodes[1], 1), (&nodes[2], 5)] {
            within(Duration::from_secs(limit), async || {
                node.tenants.authenticate_key(&secret).await.is_err()
            })
            .await;
            node.tenants.authenticate_key(&other).await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn the_keys_of_a_suspended_tenant_are_refused_until_it_resumes() {
    on_each_database(async |world| {
        let node = world.node().await;
        let tenant = node.tenant().await;
        let (_, secret) = created(&node, tenant).await;
        node.tenants.authenticate_key(&secret).await.unwrap();
        let mut operator = node.operator().tenants;
        let (request_id, tenant_id) = (node.request_id(), tenant.to_string());
        operator
            .suspend_tenant(pb::SuspendTenantRequest { request_id, tenant_id: tenant_id.clone() })
            .await
            .unwrap();
        let answer = node.tenants.authenticate_key(&secret).await;
        refused(answer, Code::PermissionDenied, ErrorReason::TenantSuspended);
        let request_id = node.request_id();
        operator.resume_tenant(pb::ResumeTenantRequest { request_id, tenant_id }).await.unwrap();
        node.tenants.authenticate_key(&secret).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_tenant_has_a_hundred_active_keys_at_most_even_in_parallel() {
    on_each_database(async |world| {
        let nodes = [world.node().await, world.node().await];
        let tenant = nodes[0].tenant().await;
        for _ in 0..96 {
            created(&nodes[0], tenant).await;
        }
        let calls = (0..12).map(|index: usize| {
            let node = &nodes[index % 2];
            let request = create(node, tenant, &[pb::ApiKeyScope::Admin]);
            let mut admin = node.key_of(tenant).keys;
            tokio::spawn(async move { admin.create_api_key(request).await })
        });
        let mut made = 0;
        for call in calls.collect::<Vec<_>>() {
            match call.await.unwrap() {
                Ok(_) => made += 1,
                Err(status) => {
                    refused(
                        Err::<(), _>(status),
                        Code::ResourceExhausted,
                        ErrorReason::LimitReached,
                    );
                }
            }
        }
        assert_eq!((made, world.count("api_keys").await), (4, 100));

        let keys = nodes[0].key_of(tenant).keys.list_api_keys(list(tenant)).await.unwrap();
        let first = &keys.into_inner().api_keys[0].api_key_id;
        let mut admin = nodes[0].key_of(tenant).keys;
        admin.revoke_api_key(revoke(&nodes[0], tenant, first)).await.unwrap();
        created(&nodes[0], tenant).await;
    })
    .await;
}

#[tokio::test]
async fn keys_are_listed_oldest_first_with_the_revoked_ones() {
    on_each_database(async |world| {
        let node = world.node().await;
        let (tenant, other) = (node.tenant().await, node.tenant().await);
        let mut made = Vec::new();
        for _ in 0..5 {
            made.push(created(&node, tenant).await.0.api_key_id);
        }
        created(&node, other).await;
        let mut admin = node.key_of(tenant).keys;
        admin.revoke_api_key(revoke(&node, tenant, &made[1])).await.unwrap();
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListApiKeysRequest { page_size: 2, page_token, ..list(tenant) };
            let page = admin.list_api_keys(request).await.unwrap().into_inner();
            listed.extend(page.api_keys);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
            let elsewhere =
                pb::ListApiKeysRequest { page_token: page_token.clone(), ..list(other) };
            refused_field(node.key_of(other).keys.list_api_keys(elsewhere).await, "page_token");
        }
        let ids: Vec<&str> = listed.iter().map(|key| key.api_key_id.as_str()).collect();
        assert_eq!(ids, made);
        let revoked: Vec<bool> = listed.iter().map(|key| key.revoke_time.is_some()).collect();
        assert_eq!(revoked, [false, true, false, false, false]);
    })
    .await;
}

#[tokio::test]
async fn the_keys_of_another_tenant_answer_exactly_as_absent_ones() {
    on_each_database(async |world| {
        let node = world.node().await;
        let (own, other) = (node.tenant().await, node.tenant().await);
        let (foreign, secret) = created(&node, other).await;
        let (mine, _) = created(&node, own).await;
        let mut admin = node.key_of(own).keys;

        let absent = ApiKeyId(node.env.uuid()).to_string();
        let keys = [&foreign.api_key_id, &absent].map(|key| revoke(&node, own, key));
        let one = admin.revoke_api_key(keys[0].clone()).await.unwrap_err();
        let two = admin.revoke_api_key(keys[1].clone()).await.unwrap_err();
        assert_eq!(one.code(), Code::NotFound);
        same_bytes(&one, &two);

        let missing = TenantId(node.env.uuid());
        let mut statuses = Vec::new();
        for tenant in [other, missing] {
            let request = create(&node, tenant, &[pb::ApiKeyScope::Admin]);
            statuses.push(admin.create_api_key(request).await.unwrap_err());
            statuses.push(admin.list_api_keys(list(tenant)).await.unwrap_err());
            let request = revoke(&node, tenant, &foreign.api_key_id);
            statuses.push(admin.revoke_api_key(request).await.unwrap_err());
        }
        let mut operator = node.operator().keys;
        let request = create(&node, missing, &[pb::ApiKeyScope::Admin]);
        statuses.push(operator.create_api_key(request).await.unwrap_err());
        statuses.push(operator.list_api_keys(list(missing)).await.unwrap_err());
        let request = revoke(&node, missing, &absent);
        statuses.push(operator.revoke_api_key(request).await.unwrap_err());
        for status in &statuses {
            assert_eq!(status.code(), Code::NotFound);
            same_bytes(status, &statuses[0]);
        }
        node.tenants.authenticate_key(&secret).await.unwrap();
        admin.revoke_api_key(revoke(&node, own, &mine.api_key_id)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_bad_field_of_a_key_is_refused_by_name() {
    on_each_database(async |world| {
        let node = world.node().await;
        let tenant = node.tenant().await;
        let good = create(&node, tenant, &[pb::ApiKeyScope::Admin]);
        let mut admin = node.key_of(tenant).keys;
        let cases: [(&str, Spoil); 6] = [
            ("label", |request| request.label = "  ".to_owned()),
            ("label", |request| request.label = "a\nb".to_owned()),
            ("tenant_id", |request| request.tenant_id = "key_0".to_owned()),
            ("scopes", |request| request.scopes.clear()),
            ("scopes", |request| request.scopes = vec![1, 1]),
            ("scopes[0]", |request| request.scopes = vec![9]),
        ];
        for (field, spoil) in cases {
            let mut request = good.clone();
            spoil(&mut request);
            refused_field(admin.create_api_key(request).await, field);
        }
        assert_eq!(world.count("api_keys").await, 0);
        admin.create_api_key(good).await.unwrap();
    })
    .await;
}
