use std::collections::HashSet;
use std::time::Duration;

use plasma_kit::env::Timestamp;
use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::status::ErrorReason;
use plasma_proto::tenant::v1 as pb;
use plasma_tenant::Standing;
use tonic::Code;

use crate::support::platform::{Signer, claims, failed, with};
use crate::support::{Node, on_each_database, refused};

#[tokio::test]
async fn a_token_of_each_family_is_accepted_and_names_the_same_user() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signers = Signer::each_family();
        let tenant = node.platform(&signers).await;
        let mut users = HashSet::new();
        for signer in &signers {
            let token = signer.sign(&claims(&node.env, "ann"));
            let explained = node.explain(tenant, &token).await;
            assert!(explained.valid, "{explained:?}");
            let parts: Vec<&str> =
                explained.checks.iter().map(|check| check.part.as_str()).collect();
            assert_eq!(
                parts,
                [
                    "format",
                    "alg",
                    "kid",
                    "signature",
                    "iss",
                    "aud",
                    "sub",
                    "iat",
                    "exp",
                    "lifetime",
                    "jti"
                ]
            );
            // Explaining uses nothing up.
            assert!(node.explain(tenant, &token).await.valid);
            users.insert(node.tenants.accept_platform_token(tenant, &token).await.unwrap());
        }
        assert_eq!(users.len(), 1);
        let bob = signers[0].sign(&claims(&node.env, "bob"));
        users.insert(node.tenants.accept_platform_token(tenant, &bob).await.unwrap());
        assert_eq!((users.len(), world.count("users").await), (2, 2));
    })
    .await;
}

#[tokio::test]
async fn the_edges_of_what_is_taken_are_taken() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signer = Signer::es256("ec-1", 3);
        let tenant = node.platform(std::slice::from_ref(&signer)).await;
        let now = node.env.now().seconds();
        let good = |subject: &str| claims(&node.env, subject);
        let edges = [
            ("aud in a list", with(good("a"), "aud", vec!["plasma"])),
            ("a lifetime of ten minutes", with(good("b"), "exp", now + 600)),
            ("a clock 50 s ahead", with(with(good("c"), "iat", now + 50), "exp", now + 100)),
            ("40 s after it expired", with(with(good("d"), "iat", now - 100), "exp", now - 40)),
            ("nbf in the past", with(good("e"), "nbf", now - 5)),
            ("the longest sub", with(good("f"), "sub", "s".repeat(255))),
            ("the longest jti", with(good("g"), "jti", "j".repeat(128))),
            ("more claims", with(good("h"), "email_verified", true)),
        ];
        for (what, claims) in edges {
            let token = signer.sign(&claims);
            let explained = node.explain(tenant, &token).await;
            assert!(explained.valid, "{what}: {explained:?}");
            let answer = node.tenants.accept_platform_token(tenant, &token).await;
            assert!(answer.is_ok(), "{what}: {answer:?}");
        }
        // The registered key counts, whatever else the header points to.
        let mut header = signer.header();
        header["jku"] = "https://evil.example/jwks".into();
        header["jwk"] = Signer::es256("ec-1", 9).jwk();
        header["x5u"] = "https://evil.example/x5u".into();
        let token = signer.sign_text(&header.to_string(), &good("i").to_string());
        node.tenants.accept_platform_token(tenant, &token).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_parallel_presentations_of_one_token_exactly_one_is_accepted() {
    on_each_database(async |world| {
        let nodes = [world.node().await, world.node().await];
        let signer = Signer::es256("ec-1", 3);
        let tenant = nodes[0].platform(std::slice::from_ref(&signer)).await;
        let token = signer.sign(&claims(&nodes[0].env, "ann"));
        let calls = (0..32).map(|index: usize| {
            let (tenants, token) = (nodes[index % 2].tenants.clone(), token.clone());
            tokio::spawn(async move { tenants.accept_platform_token(tenant, &token).await })
        });
        let mut accepted = 0;
        for call in calls.collect::<Vec<_>>() {
            match call.await.unwrap() {
                Ok(_) => accepted += 1,
                Err(failure) => {
                    refused(
                        Err::<(), _>(failure),
                        Code::Unauthenticated,
                        ErrorReason::PlatformTokenInvalid,
                    );
                }
            }
        }
        assert_eq!((accepted, world.count("users").await), (1, 1));
        assert_eq!(world.count("used_tokens").await, 1);
        assert_eq!(failed(&nodes[1].explain(tenant, &token).await), ["jti"]);
    })
    .await;
}

#[tokio::test]
async fn forged_and_repeated_tokens_take_no_place_of_the_platforms_users() {
    on_each_database(async |world| {
        let node = world.node().await;
        let (signer, stranger) = (Signer::es256("ec-1", 3), Signer::es256("ec-1", 4));
        let tenant = node.platform(std::slice::from_ref(&signer)).await;
        let spent = signer.sign(&claims(&node.env, "ann"));
        node.tenants.accept_platform_token(tenant, &spent).await.unwrap();
        let eve = signer.sign(&claims(&node.env, "eve"));
        let blocked = node.tenants.accept_platform_token(tenant, &eve).await.unwrap();
        let request =
            pb::BlockUserRequest { request_id: node.request_id(), user_id: blocked.to_string() };
        node.key_of(tenant).users.block_user(request).await.unwrap();
        let of_blocked = signer.sign(&claims(&node.env, "eve"));
        for _ in 0..150 {
            let answer = node.tenants.accept_platform_token(tenant, &of_blocked).await;
            refused(answer, Code::PermissionDenied, ErrorReason::UserBlocked);
            let forged = stranger.sign(&claims(&node.env, "ann"));
            for token in [&forged, &spent] {
                let answer = node.tenants.accept_platform_token(tenant, token).await;
                refused(answer, Code::Unauthenticated, ErrorReason::PlatformTokenInvalid);
            }
        }
        let good = signer.sign(&claims(&node.env, "bob"));
        node.tenants.accept_platform_token(tenant, &good).await.unwrap();

        // The control: good tokens do take places, and one too many is not used up.
        let mut waiting = None;
        for _ in 0..2_000 {
            let token = signer.sign(&claims(&node.env, "bob"));
            if let Err(failure) = node.tenants.accept_platform_token(tenant, &token).await {
                refused(Err::<(), _>(failure), Code::ResourceExhausted, ErrorReason::RateLimited);
                waiting = Some(token);
                break;
            }
        }
        let waiting = waiting.expect("the rate holds");
        assert!(node.explain(tenant, &waiting).await.valid);
    })
    .await;
}

#[tokio::test]
async fn parallel_first_tokens_of_one_user_make_one_user() {
    on_each_database(async |world| {
        let nodes = [world.node().await, world.node().await];
        let signer = Signer::eddsa("ed-1", 4);
        let tenant = nodes[0].platform(std::slice::from_ref(&signer)).await;
        let calls = (0..32).map(|index: usize| {
            let node = &nodes[index % 2];
            let (tenants, token) = (node.tenants.clone(), signer.sign(&claims(&node.env, "ann")));
            tokio::spawn(async move { tenants.accept_platform_token(tenant, &token).await })
        });
        let mut users = HashSet::new();
        for call in calls.collect::<Vec<_>>() {
            users.insert(call.await.unwrap().unwrap());
        }
        assert_eq!((users.len(), world.count("users").await), (1, 1));
        assert_eq!(world.count("used_tokens").await, 32);
    })
    .await;
}

#[tokio::test]
async fn the_platforms_id_is_kept_as_a_hash_and_sealed() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signer = Signer::eddsa("ed-1", 4);
        let tenant = node.platform(std::slice::from_ref(&signer)).await;
        let subject = "patient-4711-marker";
        let token = signer.sign(&claims(&node.env, subject));
        let user = node.tenants.accept_platform_token(tenant, &token).await.unwrap();
        let row = world.query("SELECT partner_hash, partner_sealed FROM users").await.unwrap();
        let hash: Vec<u8> = row.try_get("", "partner_hash").unwrap();
        let sealed: Vec<u8> = row.try_get("", "partner_sealed").unwrap();
        let data = [tenant.0.as_bytes(), subject.as_bytes()].concat();
        assert_eq!(hash, world.secrets.keyed_hash("partner-user-id", &data));
        let context = [tenant.0.as_bytes(), &user.0.as_bytes()[..]].concat();
        let opened = world.secrets.open("partner-user-id", &context, &sealed).unwrap();
        assert_eq!(opened, subject.as_bytes());
        assert!(!sealed.windows(subject.len()).any(|window| window == subject.as_bytes()));
    })
    .await;
}

#[tokio::test]
async fn a_suspended_tenants_token_is_refused_for_that_and_explained_so() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signer = Signer::eddsa("ed-1", 4);
        let tenant = node.platform(std::slice::from_ref(&signer)).await;
        let token = signer.sign(&claims(&node.env, "ann"));
        assert!(node.explain(tenant, &token).await.valid);
        suspend(&node, tenant).await;
        let answer = node.tenants.accept_platform_token(tenant, &token).await;
        refused(answer, Code::PermissionDenied, ErrorReason::TenantSuspended);
        let explained = node.explain(tenant, &token).await;
        assert_eq!((explained.valid, failed(&explained)), (false, vec!["iss"]));
        assert_eq!(world.count("used_tokens").await, 0);
    })
    .await;
}

async fn suspend(node: &Node, tenant: TenantId) {
    let request = plasma_proto::tenant::v1::SuspendTenantRequest {
        request_id: node.request_id(),
        tenant_id: tenant.to_string(),
    };
    node.operator().tenants.suspend_tenant(request).await.expect("a suspension");
}

#[tokio::test]
async fn a_used_token_is_remembered_for_as_long_as_it_could_be_presented() {
    on_each_database(async |world| {
        let node = world.node().await;
        let signer = Signer::eddsa("ed-1", 4);
        let tenant = node.platform(std::slice::from_ref(&signer)).await;
        let claims = claims(&node.env, "ann");
        let token = signer.sign(&claims);
        let user = node.tenants.accept_platform_token(tenant, &token).await.unwrap();
        let expires = Timestamp(claims["exp"].as_i64().unwrap() * 1_000_000);
        // The token itself is taken until 60 s after it expired.
        let last = expires.plus(Duration::from_mins(1));
        assert_eq!(node.tenants.prune(last).await.unwrap(), 0);
        assert_eq!(world.count("used_tokens").await, 1);
        let later = last.plus(Duration::from_hours(1));
        assert_eq!(node.tenants.prune(later).await.unwrap(), 1);
        assert_eq!(world.count("used_tokens").await, 0);

        let standing = node.tenants.user_standing(tenant, user).await.unwrap();
        assert_eq!(standing, Standing::Active);
        for (tenant, user) in [
            (tenant, UserId(node.env.uuid())),
            (node.tenant().await, user),
            (TenantId(node.env.uuid()), user),
        ] {
            let standing = node.tenants.user_standing(tenant, user).await.unwrap();
            assert_eq!(standing, Standing::Absent);
        }
    })
    .await;
}
