//! Real nodes, both ways to run: they start, serve a platform, end, come back, and leave traces
//! that can be found.

use std::path::Path;
use std::time::Duration;

use plasma_proto::tenant::v1::identity_provider_service_client::IdentityProviderServiceClient;
use plasma_proto::tenant::v1::tenant_service_client::TenantServiceClient;
use plasma_proto::tenant::v1::{GetTenantRequest, ValidateTokenRequest};
use plasma_testkit::scan::{self, Marker};
use plasma_testkit::{Algorithm, Cluster, ClusterKind, Node, Onboarding, Platform};

async fn onboard(cluster: &Cluster, name: &str) -> anyhow::Result<Platform> {
    let channel = cluster.node(0).channel()?;
    Platform::onboard(channel, cluster.operator_key(), &Onboarding::paid(name, 1_000)).await
}

/// Asks a node for a platform's name.
async fn name_at(node: &Node, platform: &Platform) -> anyhow::Result<String> {
    let request = GetTenantRequest { tenant_id: platform.tenant_id().to_owned() };
    let answer = TenantServiceClient::new(node.channel()?)
        .get_tenant(platform.backend(request)?)
        .await?
        .into_inner();
    Ok(answer.tenant.unwrap_or_default().display_name)
}

#[tokio::test]
async fn a_platform_made_at_one_node_is_known_at_every_node() {
    for kind in ClusterKind::BOTH {
        let cluster = Cluster::start(kind).await.unwrap();
        let platform = onboard(&cluster, "Piano lessons").await.unwrap();
        for node in cluster.nodes() {
            assert_eq!(name_at(node, &platform).await.unwrap(), "Piano lessons", "{kind:?}");
        }
        assert_eq!(cluster.nodes().len(), if kind == ClusterKind::Embedded { 1 } else { 2 });
    }
}

#[tokio::test]
async fn the_tokens_of_a_platform_are_valid_and_spoiled_ones_are_not() {
    let cluster = Cluster::start(ClusterKind::Embedded).await.unwrap();
    let platform = onboard(&cluster, "Piano lessons").await.unwrap();
    let mut client = IdentityProviderServiceClient::new(cluster.node(0).channel().unwrap());
    let mut validate = async |token: String| {
        let request = ValidateTokenRequest { tenant_id: platform.tenant_id().to_owned(), token };
        client.validate_token(platform.backend(request).unwrap()).await.unwrap().into_inner()
    };
    for algorithm in Algorithm::ALL {
        let answer = validate(platform.tokens().token(algorithm, "ann").unwrap()).await;
        assert!(answer.valid, "{algorithm:?}: {:?}", answer.checks);
    }
    let spoiled = platform.user_token_with("ann", |claims, _| drop(claims.remove("jti")));
    let answer = validate(spoiled.unwrap()).await;
    let failed: Vec<_> = answer.checks.iter().filter(|check| !check.passed).collect();
    assert!(!answer.valid && failed.len() == 1 && failed[0].part == "jti", "{:?}", answer.checks);
}

#[tokio::test]
async fn a_killed_node_comes_back_with_what_it_had_and_a_terminated_one_ends_in_order() {
    let mut cluster = Cluster::start(ClusterKind::Embedded).await.unwrap();
    let platform = onboard(&cluster, "Piano lessons").await.unwrap();
    let node = &mut cluster.nodes_mut()[0];
    let (pid, endpoint) = (node.pid(), node.endpoint());
    node.kill().unwrap();
    assert!(!Path::new(&format!("/proc/{pid}/status")).exists());
    assert!(name_at(node, &platform).await.is_err());
    node.restart().await.unwrap();
    assert_eq!(node.endpoint(), endpoint);
    assert_eq!(name_at(node, &platform).await.unwrap(), "Piano lessons");
    let status = node.terminate(Duration::from_secs(25)).await.unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_node_that_cannot_start_says_why() {
    let refused = Node::builder().env("PLASMA_MASTER_KEY", "short").start().await;
    let error = format!("{:#}", refused.unwrap_err());
    assert!(error.contains("exit code 1") && error.contains("master_key"), "{error}");
}

#[tokio::test]
async fn the_counters_of_a_store_move_for_a_write_and_rest_for_a_read() {
    for kind in ClusterKind::BOTH {
        let cluster = Cluster::builder(kind).private_servers().start().await.unwrap();
        let platform = onboard(&cluster, "Piano lessons").await.unwrap();
        let stores = std::sync::Arc::new(cluster.stores().unwrap());
        let settled = || {
            let stores = stores.clone();
            async { tokio::task::spawn_blocking(move || stores.settled()).await.unwrap().unwrap() }
        };
        let before = settled().await;
        for node in cluster.nodes() {
            name_at(node, &platform).await.unwrap();
        }
        let after_read = settled().await;
        let change = after_read.since(&before);
        assert!(change.stored_nothing(), "{kind:?}: {change}");

        onboard(&cluster, "Violin lessons").await.unwrap();
        let change = settled().await.since(&after_read);
        assert!(!change.stored_nothing(), "{kind:?}: {change}");
        match kind {
            ClusterKind::Embedded => assert!(!change.files.is_empty(), "{change}"),
            ClusterKind::Scaled => {
                assert!(change.rows > 0 && !change.tables.is_empty(), "{change}");
            }
        }
    }
}

#[tokio::test]
async fn a_name_that_was_stored_is_found_in_the_files_and_the_secret_of_a_key_is_not() {
    for kind in ClusterKind::BOTH {
        let cluster = Cluster::start(kind).await.unwrap();
        let name = format!("Piano {}", plasma_testkit::secret::name());
        let platform = onboard(&cluster, &name).await.unwrap();
        let keys = [platform.admin_key(), platform.backend_key()];
        let mut hits = Vec::new();
        for folder in cluster.folders().unwrap() {
            let markers = [&name, keys[0], keys[1]].map(Marker::text);
            hits.extend(scan::folder(&folder, &markers).unwrap().hits);
        }
        assert!(hits.iter().any(|hit| hit.marker == name), "{kind:?}: the planted name");
        assert!(hits.iter().all(|hit| hit.marker == name), "{kind:?}: {hits:?}");
    }
}
