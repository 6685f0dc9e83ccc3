use std::time::Duration;

use plasma_proto::tenant::v1 as pb;
use prost_types::FieldMask;

use crate::support::{ACCOUNT_RESET_DELAY_MIN, on_each_database, policy, refused_field};

fn with_delay(seconds: i64, nanos: i32) -> pb::TenantPolicy {
    let delay = prost_types::Duration { seconds, nanos };
    pb::TenantPolicy { account_reset_delay: Some(delay), ..policy(pb::AccessMode::Free, false) }
}

#[tokio::test]
async fn the_delay_of_resets_is_what_the_tenant_says_and_at_least_what_the_operator_demands() {
    on_each_database(async |world| {
        let node = world.node().await;
        let least = i64::try_from(ACCOUNT_RESET_DELAY_MIN.as_secs()).unwrap();
        let mut operator = node.operator().tenants;
        let unset =
            pb::TenantPolicy { account_reset_delay: None, ..policy(pb::AccessMode::Free, false) };
        let create = |policy| pb::CreateTenantRequest {
            policy: Some(policy),
            ..node.new_tenant("Clinic Nord")
        };
        let below = operator.create_tenant(create(with_delay(least - 1, 999_999_999))).await;
        refused_field(below, "policy.account_reset_delay");
        assert_eq!(world.count("tenants").await, 0);

        let made = operator.create_tenant(create(unset)).await.unwrap().into_inner();
        let made = made.tenant.unwrap();
        assert_eq!(made.policy, Some(with_delay(7 * 24 * 60 * 60, 0)));
        let tenant = plasma_kit::ids::TenantId::checked(&made.tenant_id);
        let in_force =
            async || node.tenants.terms(tenant).await.unwrap().unwrap().account_reset_delay;
        assert_eq!(in_force().await, Duration::from_hours(7 * 24));

        let mut admin = node.key_of(tenant).tenants;
        let update = |policy| pb::UpdateTenantRequest {
            request_id: node.request_id(),
            tenant_id: made.tenant_id.clone(),
            policy: Some(policy),
            update_mask: Some(FieldMask { paths: vec!["policy".to_owned()] }),
            ..Default::default()
        };
        let below = admin.update_tenant(update(with_delay(0, 0))).await;
        refused_field(below, "policy.account_reset_delay");
        for (seconds, nanos) in [(least, 0), (least, 500_000_000), (30 * 24 * 60 * 60, 0)] {
            let answer = admin.update_tenant(update(with_delay(seconds, nanos))).await.unwrap();
            let after = answer.into_inner().tenant.unwrap();
            assert_eq!(after.policy, Some(with_delay(seconds, nanos)));
            let get = pb::GetTenantRequest { tenant_id: made.tenant_id.clone() };
            let read = admin.get_tenant(get).await.unwrap().into_inner().tenant.unwrap();
            assert_eq!(read.policy, after.policy);
            let nanos = u32::try_from(nanos).unwrap();
            let expected = Duration::new(u64::try_from(seconds).unwrap(), nanos);
            assert_eq!(in_force().await, expected);
        }
        // A tenant that was made under a milder operator waits as long as this one demands.
        let sql = "UPDATE tenants SET account_reset_delay_micros = 0 RETURNING tenant_id";
        world.query(sql).await.unwrap();
        let strict = world.deaf_node().await;
        let terms = strict.tenants.terms(tenant).await.unwrap().unwrap();
        assert_eq!(terms.account_reset_delay, ACCOUNT_RESET_DELAY_MIN);
    })
    .await;
}
