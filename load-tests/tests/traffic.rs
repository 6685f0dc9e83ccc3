//! Simulated devices against a real node and the bare relay.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plasma_load_tests::ledger::{Ledger, Policy, Tally, Verdict};
use plasma_load_tests::meters::{Happening, Meters};
use plasma_load_tests::population::{Population, bare_devices, sealed_devices};
use plasma_load_tests::relay;
use plasma_load_tests::traffic::{Device, Leaving, Manner, Sent, Surroundings, Transport};
use plasma_testkit::Node;
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(30);

fn surroundings(nodes: Vec<SocketAddr>) -> Arc<Surroundings> {
    by(Transport::Unary, nodes)
}

fn by(transport: Transport, nodes: Vec<SocketAddr>) -> Arc<Surroundings> {
    let ledger = Arc::new(Ledger::new(1, 1));
    let meters = Arc::new(Meters::default());
    let manner = Manner { transport, ..Manner::default() };
    Arc::new(Surroundings::new(ledger, meters, manner, nodes))
}

fn address(node: &Node) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], node.port()))
}

async fn opaque(node: &Node, count: usize) -> (Arc<Surroundings>, Vec<Device>) {
    let channel = node.channel().expect("a channel");
    let enrolled =
        Population::enroll(&channel, node.operator_key(), count, |_| {}).await.expect("users");
    let around = surroundings(vec![address(node)]);
    let devices = enrolled.devices(&around);
    (around, devices)
}

async fn all_ready(devices: &[Device]) {
    for device in devices {
        device.connect();
    }
    for device in devices {
        assert!(device.until_ready(SOON).await, "a device is not ready");
    }
}

async fn everyone_sends(devices: &[Device], times: usize) {
    let sends = devices.iter().flat_map(|device| {
        (0..times).map(move |chat| async move { device.send(chat, Instant::now()).await })
    });
    for sent in futures::future::join_all(sends).await {
        assert_eq!(sent, Sent::Accepted);
    }
}

/// Waits until everything that was accepted has arrived, and judges.
async fn drained(around: &Surroundings) -> Verdict {
    let begun = Instant::now();
    while around.ledger.tally().awaited > 0 && begun.elapsed() < SOON {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    around.ledger.verdict(Policy::default())
}

#[tokio::test]
async fn devices_that_listen_get_what_is_sent_and_nothing_is_stored() {
    let node = Node::builder().unlimited_rates().start().await.unwrap();
    let (around, devices) = opaque(&node, 4).await;
    all_ready(&devices).await;
    everyone_sends(&devices, 5).await;
    let verdict = drained(&around).await;
    assert!(verdict.is_clean(), "{verdict}");
    let Tally { accepted, received, repeated, .. } = verdict.tally;
    assert_eq!((accepted, received, repeated), (20, 20, 0));
    assert_eq!(around.meters.readings().delivery.count(), 20);
    for device in &devices {
        device.disconnect(Leaving::InOrder).await;
    }
    assert_eq!(around.ledger.tally().acknowledged, 20);
}

#[tokio::test]
async fn devices_that_are_away_get_what_was_stored_when_they_come_back() {
    let node = Node::builder().unlimited_rates().start().await.unwrap();
    let (around, devices) = opaque(&node, 2).await;
    all_ready(&devices[..1]).await;
    for _ in 0..20 {
        assert_eq!(devices[0].send(0, Instant::now()).await, Sent::Accepted);
    }
    assert_eq!(around.ledger.tally().stored, 20);
    all_ready(&devices[1..]).await;
    // Gone before it acknowledges, perhaps; what is offered again is counted once.
    devices[1].disconnect(Leaving::AtOnce).await;
    all_ready(&devices[1..]).await;
    let verdict = drained(&around).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(verdict.tally.received, 20);
}

#[tokio::test]
async fn devices_come_back_by_themselves_after_their_node_was_killed() {
    let mut node = Node::builder().unlimited_rates().start().await.unwrap();
    let (around, devices) = opaque(&node, 2).await;
    all_ready(&devices).await;
    node.kill().unwrap();
    let sending = devices[0].send(0, Instant::now());
    let (sent, restarted) = tokio::join!(sending, node.restart());
    restarted.unwrap();
    assert_eq!(sent, Sent::Accepted);
    let verdict = drained(&around).await;
    assert!(verdict.is_clean(), "{verdict}");
    let happenings = around.meters.readings().happenings;
    assert!(happenings[&Happening::SentAgain] > 0, "{happenings:?}");
}

#[tokio::test]
async fn sealed_devices_are_the_client_behind_the_same_interface() {
    let node = Node::builder().unlimited_rates().start().await.unwrap();
    let around = surroundings(vec![address(&node)]);
    let (channel, endpoints) = (node.channel().unwrap(), [node.endpoint()]);
    let devices = sealed_devices(&channel, node.operator_key(), &endpoints, &around, 2);
    let devices = devices.await.unwrap();
    all_ready(&devices).await;
    everyone_sends(&devices, 3).await;
    let verdict = drained(&around).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(verdict.tally.received, 6);
}

#[tokio::test]
async fn the_bare_relay_can_be_loaded_by_the_same_devices() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let around = surroundings(vec![listener.local_addr().unwrap()]);
    tokio::spawn(relay::serve_on(listener));
    let devices = bare_devices(&around, 3);
    all_ready(&devices).await;
    everyone_sends(&devices, 4).await;
    let verdict = drained(&around).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(verdict.tally.received, 12);
}

#[tokio::test]
async fn everything_can_go_on_one_stream() {
    let node = Node::builder().unlimited_rates().start().await.unwrap();
    let channel = node.channel().unwrap();
    let enrolled = Population::enroll(&channel, node.operator_key(), 4, |_| {}).await.unwrap();
    let around = by(Transport::Connect, vec![address(&node)]);
    let devices = enrolled.devices(&around);
    all_ready(&devices).await;
    everyone_sends(&devices, 5).await;
    assert_eq!(around.ledger.tally().stored, 0);
    for device in &devices {
        device.disconnect(Leaving::InOrder).await;
    }
    // Whoever has left sends by calls.
    assert_eq!(devices[0].send(0, Instant::now()).await, Sent::Accepted);
    assert_eq!(around.ledger.tally().stored, 1);
    all_ready(&devices).await;
    let verdict = drained(&around).await;
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!((verdict.tally.received, verdict.tally.repeated), (21, 0));
}
