//! Platform tokens that were not honestly made: one constant refusal, and `ValidateToken` says why.

use plasma_proto::error::v1::ErrorReason;
use plasma_proto::error_info::reason_of;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::tenant::v1 as tenant;
use plasma_testkit::platform::TokenIssuer;
use plasma_testkit::{Algorithm, ClusterKind, Platform};
use prost::Message;
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::world::World;

const EXCHANGE: &str = "/plasma.messaging.v1.SessionService/ExchangeToken";

async fn exchange(world: &World, platform: &Platform, token: &str) -> Result<(), Status> {
    let request = pb::ExchangeTokenRequest {
        tenant_id: platform.tenant_id().to_owned(),
        platform_token: token.to_owned(),
    };
    world.wire.call(EXCHANGE, None, request.encode_to_vec()).await.map(drop)
}

/// The parts of a token that `ValidateToken` objects to.
async fn objections(world: &World, platform: &Platform, token: &str) -> Vec<String> {
    let request = tenant::ValidateTokenRequest {
        tenant_id: platform.tenant_id().to_owned(),
        token: token.to_owned(),
    };
    let method = "tenant.v1.IdentityProviderService/ValidateToken";
    let admin = Some(platform.admin_key());
    let answer: tenant::ValidateTokenResponse = world.wire.ask(method, admin, &request).await;
    let failed = answer.checks.iter().filter(|check| !check.passed);
    assert_eq!(answer.valid, answer.checks.iter().all(|check| check.passed));
    failed.map(|check| check.part.clone()).collect()
}

/// Tokens that an attacker can make, each with the part that is wrong.
fn dishonest(platform: &Platform, other: &Platform) -> Vec<(&'static str, &'static str, String)> {
    let claim = |name: &'static str, value: Value| {
        platform.user_token_with("eve", |claims, _| drop(claims.insert(name.to_owned(), value)))
    };
    let header = |name: &'static str, value: Value| {
        platform.user_token_with("eve", |_, header| drop(header.insert(name.to_owned(), value)))
    };
    let without =
        |name: &'static str| platform.user_token_with("eve", |claims, _| drop(claims.remove(name)));
    let now = i64::try_from(crate::world::now()).unwrap();
    let foreign = TokenIssuer::generate(platform.tokens().issuer(), "plasma").unwrap();
    let own_key = platform.tokens().key(Algorithm::Es256).key_id().to_owned();
    let impostor = foreign.token_with(Algorithm::Es256, "eve", |_, header| {
        header.insert("kid".to_owned(), json!(own_key));
    });
    let good = platform.user_token("eve").unwrap();
    let unsigned = good.rsplit_once('.').unwrap().0.to_owned() + ".";
    vec![
        ("alg none", "alg", header("alg", json!("none")).unwrap()),
        ("alg none without a signature", "alg", {
            let token = header("alg", json!("none")).unwrap();
            token.rsplit_once('.').unwrap().0.to_owned() + "."
        }),
        ("without a signature", "signature", unsigned),
        ("a symmetric alg", "alg", header("alg", json!("HS256")).unwrap()),
        ("another alg than the key's", "alg", header("alg", json!("RS256")).unwrap()),
        ("a foreign kid", "kid", header("kid", json!("foreign")).unwrap()),
        (
            "a key that is not the platform's",
            "kid",
            foreign.token(Algorithm::Es256, "eve").unwrap(),
        ),
        ("the platform's kid over another key", "signature", impostor.unwrap()),
        ("another platform's token", "iss", other.user_token("eve").unwrap()),
        ("another audience", "aud", claim("aud", json!("elsewhere")).unwrap()),
        ("expired", "exp", claim("exp", json!(now - 3_600)).unwrap()),
        ("good for too long", "lifetime", claim("exp", json!(now + 86_400)).unwrap()),
        ("issued in the future", "iat", claim("iat", json!(now + 3_600)).unwrap()),
        ("without iss", "iss", without("iss").unwrap()),
        ("without aud", "aud", without("aud").unwrap()),
        ("without sub", "sub", without("sub").unwrap()),
        ("without exp", "exp", without("exp").unwrap()),
        ("without iat", "iat", without("iat").unwrap()),
        ("without jti", "jti", without("jti").unwrap()),
        ("an empty sub", "sub", claim("sub", json!("")).unwrap()),
        ("no token", "format", "eve".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dishonest_platform_token_is_refused_in_the_same_words_whatever_is_wrong() {
    let world = World::start(ClusterKind::Scaled).await;
    let (platform, other) = (&world.a.platform, &world.b.platform);
    let (mut failed, mut refusals) = (Vec::new(), Vec::new());
    for (name, part, token) in dishonest(platform, other) {
        match exchange(&world, platform, &token).await {
            Ok(()) => failed.push(format!("{name}: accepted")),
            Err(status) => refusals.push((
                status.code(),
                reason_of(&status),
                status.message().to_owned(),
                status.details().to_vec(),
            )),
        }
        let objections = objections(&world, platform, &token).await;
        if !objections.iter().any(|objection| objection == part) {
            failed.push(format!("{name}: ValidateToken objects to {objections:?}, not to {part}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!(refusals[0].0, Code::Unauthenticated);
    assert_eq!(refusals[0].1, Some(ErrorReason::PlatformTokenInvalid));

    // A good one is good once, and on the other node as little as on this one.
    let token = platform.user_token("eve").unwrap();
    assert_eq!(objections(&world, platform, &token).await, [""; 0]);
    exchange(&world, platform, &token).await.unwrap();
    for _ in 0..2 {
        let status = exchange(&world, platform, &token).await.unwrap_err();
        assert_eq!(reason_of(&status), Some(ErrorReason::PlatformTokenInvalid));
    }
    assert_eq!(objections(&world, platform, &token).await, ["jti"]);
    world.check_health();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_admin_key_of_a_tenant_reaches_no_other_tenant() {
    let world = World::start(ClusterKind::Scaled).await;
    let (own, other) = (world.a.platform.tenant_id(), world.b.platform.tenant_id());
    let request = tenant::CreateApiKeyRequest {
        request_id: plasma_testkit::secret::request_id(),
        tenant_id: own.to_owned(),
        label: "a second administrator".to_owned(),
        scopes: vec![tenant::ApiKeyScope::Admin.into(), tenant::ApiKeyScope::Backend.into()],
    };
    let method = "tenant.v1.ApiKeyService/CreateApiKey";
    let first = Some(world.a.platform.admin_key());
    let made: tenant::CreateApiKeyResponse = world.wire.ask(method, first, &request).await;
    let absent = crate::world::fresh_id("tenant");
    let calls: [(&str, Encoded); 5] = [
        ("TenantService/GetTenant", |tenant| {
            tenant::GetTenantRequest { tenant_id: tenant.to_owned() }.encode_to_vec()
        }),
        ("TenantService/UpdateTenant", |tenant| update(tenant).encode_to_vec()),
        ("ApiKeyService/CreateApiKey", |tenant| creation(tenant).encode_to_vec()),
        ("ApiKeyService/ListApiKeys", |tenant| {
            let tenant_id = tenant.to_owned();
            tenant::ListApiKeysRequest { tenant_id, ..Default::default() }.encode_to_vec()
        }),
        ("IdentityProviderService/ListIdentityProviders", |tenant| {
            let tenant_id = tenant.to_owned();
            tenant::ListIdentityProvidersRequest { tenant_id }.encode_to_vec()
        }),
    ];
    for (method, request) in calls {
        let path = format!("/plasma.tenant.v1.{method}");
        let call =
            async |tenant: &str| world.wire.call(&path, Some(&made.secret), request(tenant)).await;
        call(own).await.unwrap_or_else(|status| panic!("{method}: {status:?}"));
        let to_other = call(other).await.expect_err(method);
        let to_absent = call(&absent).await.expect_err(method);
        assert_eq!(reason_of(&to_other), Some(ErrorReason::NotFound), "{method}");
        assert_eq!(to_other.message(), to_absent.message(), "{method}");
        assert_eq!(to_other.details(), to_absent.details(), "{method}");
    }
    world.check_health();
}

/// Encodes a method's request for a tenant.
type Encoded = fn(&str) -> Vec<u8>;

fn update(tenant: &str) -> tenant::UpdateTenantRequest {
    tenant::UpdateTenantRequest {
        request_id: plasma_testkit::secret::request_id(),
        tenant_id: tenant.to_owned(),
        display_name: "Taken over".to_owned(),
        update_mask: Some(prost_types::FieldMask { paths: vec!["display_name".to_owned()] }),
        ..Default::default()
    }
}

fn creation(tenant: &str) -> tenant::CreateApiKeyRequest {
    tenant::CreateApiKeyRequest {
        request_id: plasma_testkit::secret::request_id(),
        tenant_id: tenant.to_owned(),
        label: "mine now".to_owned(),
        scopes: vec![tenant::ApiKeyScope::Admin.into()],
    }
}
