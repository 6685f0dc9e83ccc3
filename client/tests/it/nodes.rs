//! Three nodes: any device on any of them, the newest stream wins, one that is stopped hands its
//! devices on, one without a bus delivers all the same, and the rates of a device hold.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use plasma_client::{Device, Endpoint, Event, Events, StopCause, Store};
use plasma_testkit::{Cluster, ClusterKind};

use crate::balancer::Balancer;
use crate::world::{SOON, World, linked_in, listening, open, shows, stopped, texts, until};

const NODES: usize = 3;
/// Longer than a node takes to drain, shorter than it may take.
const DRAIN: Duration = Duration::from_secs(15);

async fn three_nodes() -> Result<World> {
    World::of(Cluster::builder(ClusterKind::Scaled).nodes(NODES).start().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_device_is_reached_from_any_node_online_and_offline() -> Result<()> {
    let world = three_nodes().await?;
    let ann = world.first_device("ann", &world.endpoint(0)).await?;
    let bob = world.first_device("bob", &world.endpoint(1)).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("tablet.sqlite");
    let (platform, endpoint) = (&world.platform, world.endpoint(2));
    let tablet = linked_in(platform, "bob", &bob, &endpoint, Store::open(&path)?).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    let _anns = listening(&ann).await;
    let _bobs = listening(&bob).await;
    let tablets = listening(&tablet).await;

    ann.send_text(chat, "from node 1").await?;
    bob.send_text(chat, "from node 2").await?;
    shows(&tablet, chat, &["from node 1", "from node 2"]).await;
    tablet.send_text(chat, "from node 3").await?;
    for device in [&ann, &bob, &tablet] {
        shows(device, chat, &["from node 1", "from node 2", "from node 3"]).await;
    }

    // Away, and back on each of the other nodes: what is stored is everywhere.
    drop((tablets, tablet));
    for node in [0, 1] {
        let text = format!("stored for node {}", node + 1);
        ann.send_text(chat, &text).await?;
        let tablet = Device::open(&world.endpoint(node), Store::open(&path)?)?;
        let _tablets = listening(&tablet).await;
        let begun = Instant::now();
        while texts(&tablet, chat).last() != Some(&text) {
            ensure!(begun.elapsed() < SOON, "{:?}", texts(&tablet, chat));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert_eq!(texts(&bob, chat).len(), 5);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_streams_of_a_device_on_three_nodes_the_newest_alone_stays() -> Result<()> {
    let world = three_nodes().await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bob.sqlite");
    let first = world.first_device_in("bob", &world.endpoint(0), Store::open(&path)?).await?;
    let ann = world.first_device("ann", &world.endpoint(1)).await?;
    let chat = open(&ann, &first.create_link().await?).await?;
    let mut streams: Vec<(Device, Events)> = Vec::new();
    for node in 0..NODES {
        let device = Device::open(&world.endpoint(node), Store::open(&path)?)?;
        let events = listening(&device).await;
        streams.push((device, events));
    }
    let (_newest, mut events) = streams.pop().expect("three streams");
    for (_, mut older) in streams {
        let (cause, _) = stopped(&mut older).await;
        assert!(matches!(cause, StopCause::ConflictingStream), "{cause:?}");
        assert!(older.next().await.is_none(), "it does not come back by itself");
    }
    ann.send_text(chat, "to the newest").await?;
    let is_text = |event: &Event| matches!(event, Event::Message(it) if it.text == "to the newest");
    until(&mut events, is_text).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_stopped_one_after_the_other_hand_their_devices_on() -> Result<()> {
    let mut world = three_nodes().await?;
    let ports: Vec<u16> = world.cluster.nodes().iter().map(plasma_testkit::Node::port).collect();
    let (for_ann, for_bob) = (Balancer::to(ports[0]).await?, Balancer::to(ports[1]).await?);
    let ann = world.first_device("ann", &Endpoint::new(for_ann.url())).await?;
    let bob = world.first_device("bob", &Endpoint::new(for_bob.url())).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    let _anns = listening(&ann).await;
    let mut bobs = listening(&bob).await;

    let expected: Vec<String> = (0..120).map(|number| format!("message {number}")).collect();
    let sending = tokio::spawn({
        let (ann, expected) = (ann.clone(), expected.clone());
        async move {
            for text in &expected {
                ann.send_text(chat, text).await?;
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
            Ok::<(), plasma_client::Error>(())
        }
    });
    for (node, balancer) in [(1, &for_bob), (0, &for_ann)] {
        tokio::time::sleep(Duration::from_millis(500)).await;
        ensure!(!sending.is_finished(), "nothing was being sent any more");
        balancer.turn_to(ports[2]);
        let status = world.cluster.nodes_mut()[node].terminate(DRAIN).await?;
        ensure!(status.success(), "node {node} ended with {status}");
        let log = std::fs::read_to_string(world.cluster.nodes()[node].log_path())?;
        ensure!(log.contains("draining") && !log.contains("at the deadline"), "{log}");
    }
    sending.await??;
    let is_last = |event: &Event| matches!(event, Event::Message(it) if it.text == "message 119");
    let before = until(&mut bobs, is_last).await;
    assert_eq!(texts(&bob, chat), expected);
    // A stream that was told to resume elsewhere is no stream that was lost.
    let lost = before.iter().find(|event| matches!(event, Event::Disconnected(_)));
    assert!(lost.is_none(), "{lost:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_bus_the_sweep_of_the_devices_node_finds_what_others_stored() -> Result<()> {
    let cluster = Cluster::builder(ClusterKind::Scaled).private_servers().nodes(NODES);
    let world = World::of(cluster.start().await?).await?;
    let ann = world.first_device("ann", &world.endpoint(0)).await?;
    let bob = world.first_device("bob", &world.endpoint(1)).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    let _bobs = listening(&bob).await;
    world.cluster.servers()?.redis.started()?.kill()?;
    let expected = ["one", "two", "three"];
    for text in expected {
        ann.send_text(chat, text).await?;
    }
    shows(&bob, chat, &expected).await;
    world.cluster.servers()?.redis.started()?.restart()?;
    ann.send_text(chat, "four").await?;
    shows(&bob, chat, &["one", "two", "three", "four"]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_too_fast_waits_on_the_device_and_arrives() -> Result<()> {
    let cluster = Cluster::builder(ClusterKind::Embedded);
    let cluster = cluster.env("PLASMA_DEVICE_MESSAGES_PER_SECOND", "4");
    let world = World::of(cluster.start().await?).await?;
    // Gives up at once, so that a refusal is seen here and the outbox has to bring the message.
    let hasty = world.endpoint(0).patience(Duration::from_millis(1));
    let ann = world.first_device("ann", &hasty).await?;
    let bob = world.first_device("bob", &world.endpoint(0)).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    let _bobs = listening(&bob).await;
    let mut waiting = 0;
    let expected: Vec<String> = (0..32).map(|number| format!("message {number}")).collect();
    for text in &expected {
        match ann.send_text(chat, text).await {
            Ok(_) => {}
            Err(error) if error.is_rate_limited() => waiting += 1,
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(waiting >= 4, "only {waiting} of 32 were too many: the rate does not hold");
    let begun = Instant::now();
    while texts(&bob, chat).len() < expected.len() {
        ensure!(begun.elapsed() < SOON, "{waiting} waited: {:?}", texts(&bob, chat));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(texts(&bob, chat), expected);
    Ok(())
}
