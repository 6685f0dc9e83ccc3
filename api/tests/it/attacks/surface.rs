//! What the one port offers beside the contract: health, reflection, the landing page.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use plasma_testkit::{ClusterKind, Node};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::contract;
use crate::world::{World, check_health};

/// Gets a path over HTTP/1.1; the head and the body.
fn get(node: &Node, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", node.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: plasma.test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_is_healthy_and_lists_the_services_of_the_contract() {
    let world = World::start(ClusterKind::Scaled).await;
    for node in world.cluster.nodes() {
        let channel = node.channel().unwrap();
        let mut health = HealthClient::new(channel.clone());
        let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving);

        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let requests = futures::stream::iter([request]);
        let mut reflection = ServerReflectionClient::new(channel);
        let answer = reflection.server_reflection_info(requests).await.unwrap();
        let answer = answer.into_inner().message().await.unwrap().unwrap();
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
            panic!("no list of services: {answer:?}");
        };
        let listed: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
        for path in contract::paths() {
            let service = path.split('/').nth(1).unwrap().to_owned();
            assert!(listed.contains(&service), "{service} is not in {listed:?}");
        }
    }
    world.check_health();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_landing_page_of_a_link_is_served_over_http_1_and_tells_nothing_of_its_owner() {
    let world = World::start(ClusterKind::Embedded).await;
    let node = world.cluster.node(0);
    let token = &world.a.link_token;
    let (head, body) = get(node, &format!("/c/{token}"));
    assert!(head.starts_with("http/1.1 200"), "{head}");
    for expected in [
        "content-type: text/html; charset=utf-8",
        "referrer-policy: no-referrer",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'",
        "cache-control: no-store",
    ] {
        assert!(head.contains(expected), "{expected} is not in {head}");
    }
    assert!(!head.contains("set-cookie"), "{head}");
    assert!(body.contains(token.as_str()), "{body}");
    assert!(!body.contains(&world.a.bob.user_id()) && !body.contains(world.a.platform.tenant_id()));
    // A link that nobody has looks the same: the page asks nobody.
    let other = format!("{}A", "b".repeat(21));
    let (_, unknown) = get(node, &format!("/c/{other}"));
    assert_eq!(unknown.replace(&other, token), body);

    let (head, body) = get(node, &format!("/c/{token}/qr.svg"));
    assert!(head.starts_with("http/1.1 200") && head.contains("image/svg+xml"), "{head}");
    assert!(body.contains("<svg") && body.trim_end().ends_with("</svg>"), "{body}");
    check_health(&world.cluster);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_there_echoes_nothing() {
    let world = World::start(ClusterKind::Embedded).await;
    let node = world.cluster.node(0);
    let script = "%3Cscript%3Ealert(1)%3C/script%3E";
    for path in [
        "/".to_owned(),
        "/c/".to_owned(),
        "/c/short".to_owned(),
        format!("/c/{script}"),
        format!("/c/{}", "A".repeat(23)),
        format!("/c/{}", "A".repeat(100_000 / 10)),
        "/c/AAAAAAAAAAAAAAAAAAAA%00A".to_owned(),
        "/c/../../../../etc/passwd".to_owned(),
        "/c/%2e%2e%2fetc%2fpasswd".to_owned(),
        "/metrics".to_owned(),
    ] {
        let (head, body) = get(node, &path);
        let refused = head.starts_with("http/1.1 404") || head.starts_with("http/1.1 400");
        assert!(refused, "{path}: {head}");
        assert!(!body.contains("script") && !body.contains("root:"), "{path}: {body}");
    }
    check_health(&world.cluster);
}
