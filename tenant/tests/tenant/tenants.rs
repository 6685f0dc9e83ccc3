use std::time::Duration;

use plasma_kit::env::Timestamp;
use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::status::ErrorReason;
use plasma_proto::tenant::v1 as pb;
use plasma_tenant::{AccessMode, Standing};
use prost_types::FieldMask;
use tonic::Code;

use crate::support::{Node, on_each_database, policy, refused, refused_field, same_bytes, within};

type SpoilCreate = fn(&mut pb::CreateTenantRequest);
type SpoilUpdate = fn(&mut pb::UpdateTenantRequest);

fn mask(paths: &[&str]) -> FieldMask {
    FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() }
}

fn update(node: &Node, tenant: TenantId) -> pb::UpdateTenantRequest {
    pb::UpdateTenantRequest {
        request_id: node.request_id(),
        tenant_id: tenant.to_string(),
        display_name: "Clinic South".to_owned(),
        link_base_url: String::new(),
        policy: Some(policy(pb::AccessMode::Free, false)),
        update_mask: Some(mask(&["display_name", "link_base_url", "policy"])),
        time_zone: String::new(),
    }
}

fn get(tenant: TenantId) -> pb::GetTenantRequest {
    pb::GetTenantRequest { tenant_id: tenant.to_string() }
}

fn suspend(node: &Node, tenant: TenantId) -> pb::SuspendTenantRequest {
    pb::SuspendTenantRequest { request_id: node.request_id(), tenant_id: tenant.to_string() }
}

fn resume(node: &Node, tenant: TenantId) -> pb::ResumeTenantRequest {
    pb::ResumeTenantRequest { request_id: node.request_id(), tenant_id: tenant.to_string() }
}

#[tokio::test]
async fn the_tables_go_down_and_up_again() {
    on_each_database(async |world| {
        world.migrate_down_and_up().await;
        world.node().await.tenant().await;
        assert_eq!(world.count("tenants").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_created_tenant_is_active_and_reads_back() {
    on_each_database(async |world| {
        let node = world.node().await;
        let request = node.new_tenant("  Clinic Nord ");
        let mut operator = node.operator().tenants;
        let created = operator.create_tenant(request.clone()).await.unwrap().into_inner();
        let tenant = created.tenant.clone().unwrap();
        assert_eq!(tenant.display_name, "Clinic Nord");
        assert_eq!(tenant.link_base_url, request.link_base_url);
        assert_eq!(tenant.policy, request.policy);
        assert_eq!(tenant.operator_share_basis_points, 1_500);
        assert_eq!(tenant.state(), pb::TenantState::Active);

        let again = operator.create_tenant(request.clone()).await.unwrap().into_inner();
        assert_eq!(again, created);
        assert_eq!(world.count("tenants").await, 1);
        let other = pb::CreateTenantRequest { display_name: "Other".to_owned(), ..request };
        let reused = operator.create_tenant(other).await;
        refused(reused, Code::AlreadyExists, ErrorReason::IdempotencyKeyReused);

        let id = TenantId::checked(&tenant.tenant_id);
        for mut caller in [node.operator(), node.key_of(id)] {
            let got = caller.tenants.get_tenant(get(id)).await.unwrap().into_inner();
            assert_eq!(got.tenant.as_ref(), Some(&tenant));
        }
        let terms = node.tenants.terms(id).await.unwrap().unwrap();
        assert_eq!(terms.access_mode, AccessMode::Paid);
        assert_eq!((terms.allow_other_platforms, terms.suspended), (true, false));
        assert_eq!(terms.link_base_url, "https://clinic.example/chat");
        assert_eq!(node.tenants.terms(TenantId(node.env.uuid())).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn parallel_retries_create_one_tenant() {
    on_each_database(async |world| {
        let nodes = [world.node().await, world.node().await];
        let request = nodes[0].new_tenant("Clinic Nord");
        let calls = (0..16).map(|index: usize| {
            let (mut operator, request) = (nodes[index % 2].operator(), request.clone());
            tokio::spawn(async move { operator.tenants.create_tenant(request).await })
        });
        let mut answers = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            answers.push(call.await.unwrap().unwrap().into_inner());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        assert_eq!(world.count("tenants").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_bad_field_is_refused_by_name_and_leaves_no_row() {
    on_each_database(async |world| {
        let node = world.node().await;
        let mut operator = node.operator().tenants;
        let cases: [(&str, SpoilCreate); 11] = [
            ("request_id", |request| request.request_id = "short".to_owned()),
            ("display_name", |request| request.display_name.clear()),
            ("display_name", |request| request.display_name = " \u{a0} ".to_owned()),
            ("display_name", |request| request.display_name = "two\nlines".to_owned()),
            ("display_name", |request| request.display_name = "a\u{202e}b".to_owned()),
            ("link_base_url", |request| request.link_base_url = "http://clinic.example".to_owned()),
            ("link_base_url", |request| request.link_base_url = "https://c.example/".to_owned()),
            ("link_base_url", |request| request.link_base_url = "https://c.example?a".to_owned()),
            ("policy", |request| request.policy = None),
            ("policy.access_mode", |request| {
                request.policy = Some(policy(pb::AccessMode::Unspecified, false));
            }),
            ("operator_share_basis_points", |request| {
                request.operator_share_basis_points = 10_001;
            }),
        ];
        for (field, spoil) in cases {
            let mut request = node.new_tenant("Clinic Nord");
            spoil(&mut request);
            refused_field(operator.create_tenant(request).await, field);
        }
        assert_eq!(world.count("tenants").await, 0);
        assert_eq!(world.count("idempotency_keys").await, 0);
        operator.create_tenant(node.new_tenant("Clinic Nord")).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_update_changes_what_its_mask_names_and_nothing_else() {
    on_each_database(async |world| {
        let node = world.node().await;
        let tenant = node.tenant().await;
        let mut admin = node.key_of(tenant).tenants;
        let before = admin.get_tenant(get(tenant)).await.unwrap().into_inner().tenant.unwrap();

        let renamed = pb::UpdateTenantRequest {
            update_mask: Some(mask(&["display_name"])),
            ..update(&node, tenant)
        };
        let after = admin.update_tenant(renamed).await.unwrap().into_inner().tenant.unwrap();
        let expected = pb::Tenant { display_name: "Clinic South".to_owned(), ..before };
        assert_eq!(after, expected);

        assert_eq!(node.tenants.terms(tenant).await.unwrap().unwrap().display_name, "Clinic South");
        let after = admin.update_tenant(update(&node, tenant)).await.unwrap().into_inner();
        let after = after.tenant.unwrap();
        assert_eq!(after.link_base_url, "");
        assert_eq!(after.policy, Some(policy(pb::AccessMode::Free, false)));
        assert_eq!(admin.get_tenant(get(tenant)).await.unwrap().into_inner().tenant, Some(after));
        let terms = node.tenants.terms(tenant).await.unwrap().unwrap();
        assert_eq!((terms.access_mode, terms.link_base_url.as_str()), (AccessMode::Free, ""));

        let cases: [(&str, SpoilUpdate); 6] = [
            ("update_mask", |request| request.update_mask = None),
            ("update_mask", |request| request.update_mask = Some(mask(&["state"]))),
            ("update_mask", |request| request.update_mask = Some(mask(&["policy.access_mode"]))),
            ("display_name", |request| request.display_name.clear()),
            ("policy", |request| request.policy = None),
            ("link_base_url", |request| request.link_base_url = "ftp://c.example".to_owned()),
        ];
        for (field, spoil) in cases {
            let mut request = update(&node, tenant);
            spoil(&mut request);
            refused_field(admin.update_tenant(request).await, field);
        }
    })
    .await;
}

#[tokio::test]
async fn another_tenant_answers_exactly_as_an_absent_one() {
    on_each_database(async |world| {
        let node = world.node().await;
        let (own, other) = (node.tenant().await, node.tenant().await);
        let absent = TenantId(node.env.uuid());
        let mut caller = node.key_of(own);
        caller.tenants.get_tenant(get(own)).await.unwrap();
        caller.tenants.update_tenant(update(&node, own)).await.unwrap();
        let mut statuses = Vec::new();
        for tenant in [other, absent] {
            statuses.push(caller.tenants.get_tenant(get(tenant)).await.unwrap_err());
            statuses.push(caller.tenants.update_tenant(update(&node, tenant)).await.unwrap_err());
        }
        let mut operator = node.operator().tenants;
        statuses.push(operator.get_tenant(get(absent)).await.unwrap_err());
        statuses.push(operator.update_tenant(update(&node, absent)).await.unwrap_err());
        statuses.push(operator.suspend_tenant(suspend(&node, absent)).await.unwrap_err());
        statuses.push(operator.resume_tenant(resume(&node, absent)).await.unwrap_err());
        for status in &statuses {
            assert_eq!(status.code(), Code::NotFound);
            same_bytes(status, &statuses[0]);
        }
    })
    .await;
}

#[tokio::test]
async fn pages_of_tenants_lose_and_repeat_none() {
    on_each_database(async |world| {
        let node = world.node().await;
        let mut created = Vec::new();
        for _ in 0..5 {
            created.push(node.tenant().await.to_string());
        }
        let mut operator = node.operator().tenants;
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListTenantsRequest { page_size: 2, page_token };
            let page = operator.list_tenants(request).await.unwrap().into_inner();
            assert!(page.tenants.len() <= 2);
            listed.extend(page.tenants.into_iter().map(|tenant| tenant.tenant_id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, created);
        let forged = pb::ListTenantsRequest { page_size: 2, page_token: "AAAA".to_owned() };
        refused_field(operator.list_tenants(forged).await, "page_token");
        let key = node
            .key_of(TenantId::checked(&created[0]))
            .tenants
            .list_tenants(pb::ListTenantsRequest::default())
            .await;
        refused(key, Code::PermissionDenied, ErrorReason::PrincipalNotAllowed);
        let nobody = node.nobody().tenants.list_tenants(pb::ListTenantsRequest::default()).await;
        refused(nobody, Code::Unauthenticated, ErrorReason::Unauthenticated);
    })
    .await;
}

#[tokio::test]
async fn a_suspension_is_in_force_on_every_node_and_ends_when_resumed() {
    on_each_database(async |world| {
        let (node, deaf) = (world.node().await, world.deaf_node().await);
        let tenant = node.tenant().await;
        assert!(!deaf.tenants.terms(tenant).await.unwrap().unwrap().suspended);

        let mut operator = node.operator().tenants;
        let request = suspend(&node, tenant);
        let after = operator.suspend_tenant(request.clone()).await.unwrap().into_inner();
        assert_eq!(after.tenant.as_ref().unwrap().state(), pb::TenantState::Suspended);
        assert_eq!(operator.suspend_tenant(request).await.unwrap().into_inner(), after);
        assert_eq!(
            operator.suspend_tenant(suspend(&node, tenant)).await.unwrap().into_inner(),
            after
        );
        assert_eq!(world.count("revocations").await, 1);

        assert!(node.tenants.terms(tenant).await.unwrap().unwrap().suspended);
        let user = UserId(node.env.uuid());
        let standing = node.tenants.user_standing(tenant, user).await.unwrap();
        assert_eq!(standing, Standing::TenantSuspended);
        within(Duration::from_secs(5), async || {
            deaf.tenants.terms(tenant).await.unwrap().unwrap().suspended
        })
        .await;

        let after = operator.resume_tenant(resume(&node, tenant)).await.unwrap().into_inner();
        assert_eq!(after.tenant.unwrap().state(), pb::TenantState::Active);
        operator.resume_tenant(resume(&node, tenant)).await.unwrap();
        assert!(!node.tenants.terms(tenant).await.unwrap().unwrap().suspended);
        within(Duration::from_secs(5), async || {
            !deaf.tenants.terms(tenant).await.unwrap().unwrap().suspended
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_change_on_one_node_is_known_on_another_at_once() {
    on_each_database(async |world| {
        let (one, two) = (world.node().await, world.node().await);
        let tenant = one.tenant().await;
        assert_eq!(two.tenants.terms(tenant).await.unwrap().unwrap().display_name, "Clinic Nord");
        one.operator().tenants.update_tenant(update(&one, tenant)).await.unwrap();
        within(Duration::from_secs(1), async || {
            two.tenants.terms(tenant).await.unwrap().unwrap().display_name == "Clinic South"
        })
        .await;
        assert_eq!(one.tenants.prune(Timestamp(i64::MAX)).await.unwrap(), 0);
    })
    .await;
}
