use plasma_kit::ids::{IdentityProviderId, TenantId};
use plasma_kit::status::ErrorReason;
use plasma_proto::tenant::v1 as pb;
use serde_json::json;
use tonic::Code;

use crate::support::platform::{AUDIENCE, ISSUER, Signer, claims};
use crate::support::{Node, on_each_database, refused, refused_field, same_bytes};

fn list(tenant: TenantId) -> pb::ListIdentityProvidersRequest {
    pb::ListIdentityProvidersRequest { tenant_id: tenant.to_string() }
}

fn delete(node: &Node, tenant: TenantId, provider: &str) -> pb::DeleteIdentityProviderRequest {
    pb::DeleteIdentityProviderRequest {
        request_id: node.request_id(),
        tenant_id: tenant.to_string(),
        identity_provider_id: provider.to_owned(),
    }
}

#[tokio::test]
async fn a_provider_is_registered_listed_and_deleted() {
    on_each_database(async |world| {
        let node = world.node().await;
        let tenant = node.tenant().await;
        let mut admin = node.key_of(tenant).providers;
        let request = node.new_provider(tenant, &Signer::each_family());
        let answer = admin.create_identity_provider(request.clone()).await.unwrap().into_inner();
        let provider = answer.identity_provider.clone().unwrap();
        assert_eq!((provider.issuer.as_str(), provider.audience.as_str()), (ISSUER, AUDIENCE));
        assert_eq!(provider.key_ids, ["ec-1", "ed-1", "rsa-1"]);
        let again = admin.create_identity_provider(request).await.unwrap().into_inner();
        assert_eq!(again, answer);
        let listed = admin.list_identity_providers(list(tenant)).await.unwrap().into_inner();
        assert_eq!(listed.identity_providers, std::slice::from_ref(&provider));

        let second = node.new_provider(tenant, &Signer::each_family());
        let second = admin.create_identity_provider(second).await;
        refused(second, Code::AlreadyExists, ErrorReason::AlreadyExists);

        let token = Signer::eddsa("ed-1", 4).sign(&claims(&node.env, "ann"));
        assert!(node.explain(tenant, &token).await.valid);
        let request = delete(&node, tenant, &provider.identity_provider_id);
        admin.delete_identity_provider(request.clone()).await.unwrap();
        admin.delete_identity_provider(request).await.unwrap();
        let gone = delete(&node, tenant, &provider.identity_provider_id);
        let gone = admin.delete_identity_provider(gone).await;
        refused(gone, Code::NotFound, ErrorReason::NotFound);
        let answer = node.tenants.accept_platform_token(tenant, &token).await;
        refused(answer, Code::Unauthenticated, ErrorReason::PlatformTokenInvalid);
        let listed = admin.list_identity_providers(list(tenant)).await.unwrap().into_inner();
        assert_eq!(listed.identity_providers, []);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_has_ten_providers_and_one_for_each_issuer_even_in_parallel() {
    on_each_database(async |world| {
        let nodes = [world.node().await, world.node().await];
        let tenant = nodes[0].tenant().await;
        let calls = (0..24).map(|index: usize| {
            let node = &nodes[index % 2];
            let mut request = node.new_provider(tenant, &[Signer::eddsa("a", 4)]);
            request.issuer = format!("https://{}.example", index / 2);
            let mut admin = node.key_of(tenant).providers;
            tokio::spawn(async move { admin.create_identity_provider(request).await })
        });
        for call in calls.collect::<Vec<_>>() {
            if let Err(status) = call.await.unwrap() {
                let known = [Code::AlreadyExists, Code::ResourceExhausted];
                assert!(known.contains(&status.code()), "{status:?}");
            }
        }
        assert_eq!(world.count("identity_providers").await, 10);
        let sql = "SELECT COUNT(DISTINCT issuer) AS issuers FROM identity_providers";
        let issuers: i64 = world.query(sql).await.unwrap().try_get("", "issuers").unwrap();
        assert_eq!(issuers, 10);
        // The same issuer at another tenant is another provider.
        nodes[0].platform(&[Signer::eddsa("a", 4)]).await;
        nodes[0].platform(&[Signer::eddsa("a", 4)]).await;
    })
    .await;
}

#[tokio::test]
async fn a_bad_key_set_is_refused_with_its_rule_and_leaves_no_row() {
    on_each_database(async |world| {
        let node = world.node().await;
        let tenant = node.tenant().await;
        let mut admin = node.key_of(tenant).providers;
        let ec = Signer::es256("ec", 3).jwk();
        let with = |name: &str, value: serde_json::Value| {
            let mut jwk = ec.clone();
            jwk[name] = value;
            json!({"keys": [jwk]}).to_string()
        };
        let cases = [
            ("x".to_owned(), "must be a JSON Web Key Set"),
            (r#"{"keys":[],"keys":[]}"#.to_owned(), "`keys` is there twice"),
            (json!({"keys": []}).to_string(), "1 to 10 keys, and has 0"),
            (json!({"keys": vec![&ec; 11]}).to_string(), "1 to 10 keys, and has 11"),
            (json!({"keys": [ec, ec]}).to_string(), "keys[1] must have another `kid`"),
            (with("d", "AA".into()), "keys[0] must be public, and has the private member `d`"),
            (with("y", ec["x"].clone()), "keys[0] must be a point on its curve"),
            (with("kid", json!(7)), "keys[0] must have the text member `kid`"),
            (with("use", "enc".into()), "keys[0] must have `use` \"sig\""),
            (with("alg", "HS256".into()), "keys[0] must have `alg` \"ES256\""),
            (with("crv", "secp256k1".into()), "keys[0] must be EC with crv P-256"),
            (
                json!({"keys": [{"kid": "s", "kty": "oct", "k": "AA"}]}).to_string(),
                "private member `k`",
            ),
        ];
        for (jwks_json, rule) in cases {
            let request =
                pb::CreateIdentityProviderRequest { jwks_json, ..node.new_provider(tenant, &[]) };
            let said = refused_field(admin.create_identity_provider(request).await, "jwks_json");
            assert!(said.contains(rule), "{said}");
        }
        for field in ["issuer", "audience"] {
            for text in ["", " https://id.example", "a\nb"] {
                let mut request = node.new_provider(tenant, &[Signer::es256("ec", 3)]);
                let place =
                    if field == "issuer" { &mut request.issuer } else { &mut request.audience };
                text.clone_into(place);
                refused_field(admin.create_identity_provider(request).await, field);
            }
        }
        assert_eq!(world.count("identity_providers").await, 0);
        let good = node.new_provider(tenant, &[Signer::es256("ec", 3)]);
        admin.create_identity_provider(good).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_providers_of_another_tenant_answer_exactly_as_absent_ones() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signers = [Signer::es256("ec", 3)];
        let (own, other) = (node.platform(&signers).await, node.platform(&signers).await);
        let foreign =
            node.key_of(other).providers.list_identity_providers(list(other)).await.unwrap();
        let foreign = foreign.into_inner().identity_providers.remove(0).identity_provider_id;
        let absent = IdentityProviderId(node.env.uuid()).to_string();
        let mut admin = node.key_of(own).providers;
        let one = admin.delete_identity_provider(delete(&node, own, &foreign)).await.unwrap_err();
        let two = admin.delete_identity_provider(delete(&node, own, &absent)).await.unwrap_err();
        assert_eq!(one.code(), Code::NotFound);
        same_bytes(&one, &two);

        let missing = TenantId(node.env.uuid());
        let token = signers[0].sign(&claims(&node.env, "ann"));
        let mut statuses = Vec::new();
        for (mut caller, tenant) in
            [(admin.clone(), other), (admin.clone(), missing), (node.operator().providers, missing)]
        {
            let request = node.new_provider(tenant, &signers);
            statuses.push(caller.create_identity_provider(request).await.unwrap_err());
            statuses.push(caller.list_identity_providers(list(tenant)).await.unwrap_err());
            let request = delete(&node, tenant, &foreign);
            statuses.push(caller.delete_identity_provider(request).await.unwrap_err());
            let request =
                pb::ValidateTokenRequest { tenant_id: tenant.to_string(), token: token.clone() };
            statuses.push(caller.validate_token(request).await.unwrap_err());
        }
        for status in &statuses {
            assert_eq!(status.code(), Code::NotFound);
            same_bytes(status, &statuses[0]);
        }
        assert_eq!(world.count("identity_providers").await, 2);
    })
    .await;
}
