use plasma_kit::Zone;
use plasma_kit::ids::TenantId;
use plasma_proto::tenant::v1 as pb;
use prost_types::FieldMask;

use crate::support::{Node, on_each_database, refused_field};

fn in_zone(node: &Node, time_zone: &str) -> pb::CreateTenantRequest {
    pb::CreateTenantRequest { time_zone: time_zone.to_owned(), ..node.new_tenant("Clinic Nord") }
}

async fn create(node: &Node, request: pb::CreateTenantRequest) -> pb::Tenant {
    let answer = node.operator().tenants.create_tenant(request).await.unwrap();
    answer.into_inner().tenant.unwrap()
}

fn move_to(
    node: &Node,
    tenant: &pb::Tenant,
    paths: &[&str],
    zone: &str,
) -> pb::UpdateTenantRequest {
    pb::UpdateTenantRequest {
        request_id: node.request_id(),
        tenant_id: tenant.tenant_id.clone(),
        time_zone: zone.to_owned(),
        update_mask: Some(FieldMask { paths: paths.iter().map(|&path| path.to_owned()).collect() }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_sandbox_is_one_for_good() {
    on_each_database(async |world| {
        let node = world.node().await;
        for sandbox in [false, true] {
            let request = pb::CreateTenantRequest { sandbox, ..node.new_tenant("Clinic Nord") };
            let tenant = create(&node, request).await;
            assert_eq!(tenant.sandbox, sandbox);
            let id = TenantId::checked(&tenant.tenant_id);
            assert_eq!(node.tenants.terms(id).await.unwrap().unwrap().sandbox, sandbox);
            let mut admin = node.key_of(id).tenants;
            let change = move_to(&node, &tenant, &["sandbox"], "");
            refused_field(admin.update_tenant(change).await, "update_mask");
            // A change of something else leaves it.
            let change = move_to(&node, &tenant, &["time_zone"], "Pacific/Apia");
            let after = admin.update_tenant(change).await.unwrap().into_inner().tenant.unwrap();
            assert_eq!(after, pb::Tenant { time_zone: "Pacific/Apia".to_owned(), ..tenant });
        }
    })
    .await;
}

#[tokio::test]
async fn a_tenant_has_a_time_zone_and_may_choose_another() {
    on_each_database(async |world| {
        let node = world.node().await;
        assert_eq!(create(&node, in_zone(&node, "")).await.time_zone, "Etc/UTC");
        let tenant = create(&node, in_zone(&node, "America/New_York")).await;
        assert_eq!(tenant.time_zone, "America/New_York");
        let id = TenantId::checked(&tenant.tenant_id);
        let zone = async || node.tenants.terms(id).await.unwrap().unwrap().time_zone;
        assert_eq!(zone().await, Zone::parse("America/New_York").unwrap());

        let mut admin = node.key_of(id).tenants;
        for (asked, shown) in [("Australia/Lord_Howe", "Australia/Lord_Howe"), ("", "Etc/UTC")] {
            let change = move_to(&node, &tenant, &["time_zone"], asked);
            let after = admin.update_tenant(change).await.unwrap().into_inner().tenant.unwrap();
            assert_eq!(after.time_zone, shown);
            assert_eq!(zone().await.name(), shown);
            let request = pb::GetTenantRequest { tenant_id: tenant.tenant_id.clone() };
            assert_eq!(admin.get_tenant(request).await.unwrap().into_inner().tenant, Some(after));
        }
        let long = "Europe/".to_owned() + &"x".repeat(58);
        for bad in ["Europe/Nowhere", "europe/berlin", "CET-1CEST", "localtime", "+02:00", &long] {
            let created = node.operator().tenants.create_tenant(in_zone(&node, bad)).await;
            refused_field(created, "time_zone");
            let change = move_to(&node, &tenant, &["time_zone"], bad);
            refused_field(admin.update_tenant(change).await, "time_zone");
        }
        assert_eq!(zone().await.name(), "Etc/UTC");
    })
    .await;
}
