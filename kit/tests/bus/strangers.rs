//! Who may speak on the bus: nodes with a master key in common, and nobody else.

use std::time::Duration;

use bytes::Bytes;
use fred::interfaces::PubsubInterface;
use plasma_kit::Env;
use plasma_kit::bus::Bus;

use crate::world::{World, heard_until, publish};

#[tokio::test]
async fn a_frame_of_a_node_with_the_same_keys_arrives_and_a_strangers_does_not() {
    let world = World::new();
    let channel = world.channel("a");
    let (node, listener) =
        (world.node(Env::system(), &[1]).await, world.node(Env::system(), &[1]).await);
    let mut events = listener.events();
    listener.subscribe(&channel).await.unwrap();
    publish(&node, &channel, "first").await;
    assert_eq!(heard_until(&mut events, "first").await, []);

    let stranger = world.stranger().await;
    // Without anything, and with the right time behind a hash that was guessed.
    let now = Env::system().now().0.to_be_bytes();
    let guessed = [&[7; 32][..], &now, b"revoked"].concat();
    for forged in [&b""[..], b"revoked", &[0; 32], &[0; 40], &[7; 400], &guessed] {
        let receivers: usize = stranger.spublish(channel.as_str(), forged).await.unwrap();
        assert_eq!(receivers, 1, "the stranger's frame reached no node to be dropped by");
        let _: usize = stranger.publish(channel.as_str(), forged).await.unwrap();
    }
    publish(&node, &channel, "last").await;
    assert_eq!(heard_until(&mut events, "last").await, []);
}

#[tokio::test]
async fn a_frame_that_was_changed_or_moved_does_not_arrive_and_a_repeated_one_does() {
    let world = World::new();
    let (channel, other) = (world.channel("a"), world.channel("b"));
    let (node, listener) =
        (world.node(Env::system(), &[1]).await, world.node(Env::system(), &[1]).await);
    let (mut events, mut reader) = (listener.events(), world.reader(&channel).await);
    listener.subscribe(&channel).await.unwrap();
    listener.subscribe(&other).await.unwrap();
    publish(&node, &channel, "payload").await;
    heard_until(&mut events, "payload").await;
    let frame = reader.next().await;

    let stranger = world.stranger().await;
    let mut changed = Vec::new();
    for byte in [0, 31, 32, 39, 40, frame.len() - 1] {
        let mut flipped = frame.to_vec();
        flipped[byte] ^= 1;
        changed.push((&channel, flipped));
    }
    changed.push((&channel, frame[..frame.len() - 1].to_vec()));
    changed.push((&channel, [&frame, &b"x"[..]].concat()));
    changed.push((&other, frame.to_vec()));
    for (channel, frame) in changed {
        let receivers: usize =
            stranger.spublish(channel.as_str(), Bytes::from(frame)).await.unwrap();
        assert!(receivers > 0);
    }
    let _: usize = stranger.spublish(channel.as_str(), frame).await.unwrap();
    publish(&node, &other, "last").await;
    let heard = heard_until(&mut events, "last").await;
    assert_eq!(heard, [(channel, Bytes::from_static(b"payload"))]);
}

#[tokio::test]
async fn every_key_of_the_ring_is_heard_and_no_other() {
    let world = World::new();
    let channel = world.channel("a");
    let listener = world.node(Env::system(), &[2, 1]).await;
    let mut events = listener.events();
    listener.subscribe(&channel).await.unwrap();
    let older = world.node(Env::system(), &[1]).await;
    let newer = world.node(Env::system(), &[2]).await;
    let outside = world.node(Env::system(), &[3, 2, 1]).await;
    publish(&outside, &channel, "outside").await;
    publish(&older, &channel, "older").await;
    publish(&newer, &channel, "last").await;
    let heard = heard_until(&mut events, "last").await;
    assert_eq!(heard, [(channel, Bytes::from_static(b"older"))]);
}

#[tokio::test]
async fn yesterdays_frame_does_not_arrive() {
    let world = World::new();
    let channel = world.channel("a");
    let (clock, yesterday) = (Env::system(), Env::system());
    yesterday.follow(clock.now().minus(Duration::from_hours(24)));
    let tomorrow = Env::system();
    tomorrow.follow(clock.now().plus(Duration::from_hours(24)));
    let listener = world.node(clock.clone(), &[1]).await;
    let mut events = listener.events();
    listener.subscribe(&channel).await.unwrap();
    publish(&world.node(yesterday, &[1]).await, &channel, "yesterday").await;
    publish(&world.node(tomorrow, &[1]).await, &channel, "tomorrow").await;
    publish(&world.node(clock, &[1]).await, &channel, "last").await;
    assert_eq!(heard_until(&mut events, "last").await, []);
}
