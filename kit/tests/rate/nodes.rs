//! Rate limits of several nodes over one Redis, with Redis up, frozen, dead and back.

use std::time::{Duration, Instant};

use plasma_kit::Env;
use plasma_kit::rate::{Limits, RateLimit};
use plasma_kit::secrets::Secrets;
use plasma_testkit::{PrivateRedis, resp};
use tokio_util::sync::CancellationToken;

const NODES: usize = 3;
const BURST: u32 = 40;
/// Far longer than a test.
const NEVER: Duration = Duration::from_hours(1);

/// The limit of one name on several nodes.
fn nodes(redis: &PrivateRedis, refill: Duration) -> Vec<RateLimit<&'static str>> {
    let secrets = Secrets::new(vec![[7; 32]]).unwrap();
    let limits = |_| {
        let stop = CancellationToken::new();
        Limits::of_all_nodes(Env::system(), &secrets, &redis.url(), stop).unwrap()
    };
    (0..NODES).map(limits).map(|limits| limits.limit("test", BURST, refill)).collect()
}

/// Takes from every node in turn until `until`; how often it could.
async fn take_for(nodes: &[RateLimit<&'static str>], key: &'static str, time: Duration) -> u32 {
    let deadline = Instant::now() + time;
    let mut taken = 0;
    while Instant::now() < deadline {
        taken += nodes.iter().map(|node| u32::from(node.take(key).is_ok())).sum::<u32>();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    taken
}

async fn take_everywhere(nodes: &[RateLimit<&'static str>], key: &'static str, times: u32) -> u32 {
    let calls = (0..times).flat_map(|_| nodes.iter().map(|node| node.take_everywhere(key)));
    let answers = futures::future::join_all(calls).await;
    answers.iter().map(|answer| u32::from(answer.is_ok())).sum()
}

/// Waits until a shared limit is shared: the connection takes a moment.
async fn connected(nodes: &[RateLimit<&'static str>], redis: &PrivateRedis) {
    let address = resp::address(&redis.url()).unwrap();
    let size = || resp::call(address, &["DBSIZE"], Duration::from_secs(2)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    for (node, key) in nodes.iter().zip(["first", "second", "third"]) {
        let before = size();
        while size() == before {
            assert!(Instant::now() < deadline, "Redis was never asked");
            let _ = node.take_everywhere(key).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn what_nodes_ask_redis_for_is_exact() {
    let redis = PrivateRedis::start().unwrap();
    let nodes = nodes(&redis, NEVER);
    connected(&nodes, &redis).await;
    assert_eq!(take_everywhere(&nodes, "ann", BURST).await, BURST);
    let refused = nodes[1].take_everywhere("ann").await.unwrap_err();
    let status = tonic::Status::from(refused);
    let details = tonic_types::StatusExt::get_error_details(&status);
    let wait = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(wait > NEVER / 2 && wait <= NEVER, "{wait:?}");
    assert_eq!(take_everywhere(&nodes, "bob", 1).await, 3, "another key has another bucket");
}

#[tokio::test]
async fn what_nodes_take_from_their_mirrors_keeps_to_the_rate_of_all() {
    let redis = PrivateRedis::start().unwrap();
    let refill = Duration::from_millis(25);
    let nodes = nodes(&redis, refill);
    connected(&nodes, &redis).await;
    let seconds = 4;
    let taken = take_for(&nodes, "ann", Duration::from_secs(seconds)).await;
    let rate = u32::try_from(seconds).unwrap() * 40;
    // Alone, three nodes would give three bursts and three rates: 600.
    assert!(taken >= BURST + rate * 3 / 4, "{taken}: far less than one node gives");
    assert!(taken <= 2 * BURST + rate * 5 / 4, "{taken}: far more than one limit gives");
}

#[tokio::test]
async fn a_little_use_is_told_to_nobody() {
    let redis = PrivateRedis::start().unwrap();
    let nodes = nodes(&redis, NEVER);
    connected(&nodes, &redis).await;
    let address = resp::address(&redis.url()).unwrap();
    let evals = || {
        let stats = resp::call(address, &["INFO", "commandstats"], Duration::from_secs(2)).unwrap();
        stats.lines().find(|line| line.starts_with("cmdstat_eval:")).map(str::to_owned)
    };
    let before = evals();
    for node in &nodes {
        for _ in 0..BURST / 8 {
            node.take("ann").unwrap();
        }
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(evals(), before);
    nodes[0].take("ann").unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_ne!(evals(), before);
}

#[tokio::test]
async fn without_redis_each_node_limits_by_itself_and_nobody_waits() {
    let mut redis = PrivateRedis::start().unwrap();
    let nodes = nodes(&redis, NEVER);
    connected(&nodes, &redis).await;
    for fault in ["frozen", "dead"] {
        match fault {
            "frozen" => redis.freeze().unwrap(),
            _ => redis.kill().unwrap(),
        }
        let key = if fault == "frozen" { "ann" } else { "bob" };
        for node in &nodes {
            let begun = Instant::now();
            let first = node.take_everywhere(key).await;
            assert!(first.is_ok(), "{fault}: a call failed for Redis");
            assert!(begun.elapsed() < Duration::from_millis(500), "{fault}: {:?}", begun.elapsed());
            let taken = (1..=BURST).filter(|_| node.take(key).is_ok()).count();
            assert_eq!(taken, BURST as usize - 1, "{fault}");
            assert!(
                node.take_everywhere(key).await.is_err(),
                "{fault}: the node's own limit holds"
            );
        }
        match fault {
            "frozen" => redis.thaw().unwrap(),
            _ => redis.restart().unwrap(),
        }
    }
    // Back, the nodes know of each other again.
    connected(&nodes, &redis).await;
    assert_eq!(take_everywhere(&nodes, "cleo", BURST).await, BURST);
}
