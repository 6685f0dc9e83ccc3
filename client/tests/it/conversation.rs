//! What two people see.

use std::time::{Duration, Instant};

use anyhow::Result;
use plasma_client::{
    ChatId, ContactLink, DeliveryState, Device, Endpoint, Error, Event, MessageState, StopCause,
    Store, Trust,
};
use plasma_proto::error::v1::ErrorReason;
use plasma_testkit::ClusterKind;

use crate::world::{SOON, World, open, shows, texts, until};

#[tokio::test(flavor = "multi_thread")]
async fn first_contact_and_both_directions_on_four_devices() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let (left, right) = (world.endpoint(0), world.endpoint(1));
        let ann = world.first_device("ann", &left).await?;
        let ann2 = world.linked("ann", &ann, &left).await?;
        let bob = world.first_device("bob", &right).await?;
        let bob2 = world.linked("bob", &bob, &right).await?;
        let link: ContactLink = bob.create_link().await?.to_string().parse()?;
        let resolved = ann.resolve(&link).await?;
        assert_eq!(resolved.trust, Trust::Verified);
        let chat = open(&ann, &link).await?;

        let mut streams = Vec::new();
        for device in [&ann, &ann2, &bob, &bob2] {
            let mut events = device.receive();
            until(&mut events, |event| matches!(event, Event::QueueEmpty)).await;
            streams.push(events);
        }
        let report = ann.send_text(chat, "one").await?;
        assert_eq!(report.deliveries.len(), 3, "{kind:?}");
        shows(&bob, chat, &["one"]).await;
        bob.send_text(chat, "two").await?;
        shows(&ann, chat, &["one", "two"]).await;
        shows(&bob2, chat, &["one", "two"]).await;
        bob2.send_text(chat, "three").await?;
        for device in [&ann, &ann2, &bob, &bob2] {
            shows(device, chat, &["one", "two", "three"]).await;
            assert!(device.undecryptable_reasons()?.is_empty());
        }
        shows(&ann2, chat, &["one", "two", "three"]).await;
        ann2.send_text(chat, "four").await?;
        for device in [&ann, &bob, &bob2] {
            shows(device, chat, &["one", "two", "three", "four"]).await;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_offline_catches_up_in_order() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    let bob = world.first_device("bob", &endpoint).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    let expected: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    for text in &expected {
        let report = ann.send_text(chat, text).await?;
        assert_eq!(report.count(DeliveryState::Stored), 1);
    }
    let mut events = bob.receive();
    let before = until(&mut events, |event| matches!(event, Event::QueueEmpty)).await;
    let announced: Vec<_> = before
        .iter()
        .filter_map(|event| match event {
            Event::Message(message) => Some(message.text.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(announced, expected);
    assert_eq!(texts(&bob, chat), expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_dies_between_commit_and_acknowledgement_shows_the_message_once() -> Result<()>
{
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bob.sqlite");
    let ann = world.first_device("ann", &endpoint).await?;
    let bob = world.first_device_in("bob", &endpoint, Store::open(&path)?).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    ann.send_text(chat, "hello").await?;
    let pulled = bob.pull(Duration::from_secs(5)).await?;
    assert_eq!((pulled.envelopes(), pulled.events.len()), (1, 1));
    // Saved, and gone before the service hears of it.
    drop((pulled, bob));

    let bob = Device::open(&endpoint, Store::open(&path)?)?;
    let again = bob.pull(Duration::from_secs(5)).await?;
    assert_eq!((again.envelopes(), again.events.len()), (1, 0), "offered again, not shown again");
    bob.acknowledge_pulled(again).await?;
    assert_eq!(texts(&bob, chat), ["hello"]);
    assert_eq!(bob.pull(Duration::ZERO).await?.envelopes(), 0);
    assert!(bob.undecryptable_reasons()?.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_learns_of_a_new_device_and_reaches_it() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    let bob = world.first_device("bob", &endpoint).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    assert_eq!(ann.send_text(chat, "one").await?.deliveries.len(), 1);
    let bob2 = world.linked("bob", &bob, &endpoint).await?;
    // The device set that the service goes by is at most a second old.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(ann.send_text(chat, "two").await?.deliveries.len(), 2);
    bob2.pull_once(Duration::from_secs(5)).await?;
    assert_eq!(texts(&bob2, chat), ["two"]);
    assert_eq!(ann.verified_account(bob.user())?.unwrap().devices().len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_devices_gets_no_other_by_the_platforms_token_alone() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    world.first_device("ann", &endpoint).await?;
    let second = world.first_device("ann", &endpoint).await;
    let error = second.unwrap_err().downcast::<Error>()?;
    assert!(matches!(error, Error::UserHasDevices), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newer_stream_of_a_device_wins_and_the_older_does_not_come_back() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("ann.sqlite");
    let ann = world.first_device_in("ann", &endpoint, Store::open(&path)?).await?;
    let mut older = ann.receive();
    until(&mut older, |event| matches!(event, Event::Connected)).await;
    let same = Device::open(&endpoint, Store::open(&path)?)?;
    let mut newer = same.receive();
    until(&mut newer, |event| matches!(event, Event::Connected)).await;
    until(&mut older, |event| matches!(event, Event::Stopped(StopCause::ConflictingStream))).await;
    assert!(older.next().await.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_chat_refuses_and_an_unblocked_one_goes_on() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    let bob = world.first_device("bob", &endpoint).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    ann.send_text(chat, "one").await?;
    bob.block(chat).await?;
    assert_eq!(refusal(&ann, chat).await?, Some(ErrorReason::ChatBlocked));
    assert_eq!(ann.history(chat)?.last().map(|last| last.state), Some(MessageState::Failed));
    assert_eq!(refusal(&bob, chat).await?, Some(ErrorReason::ChatBlocked));
    bob.unblock(chat).await?;
    let begun = Instant::now();
    while ann.send_text(chat, "again").await.is_err() {
        assert!(begun.elapsed() < SOON, "still blocked");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bob.close(chat).await?;
    assert_eq!(refusal(&ann, chat).await?, Some(ErrorReason::ChatClosed));
    Ok(())
}

/// Sends until that is refused, which a node may do some seconds late.
async fn refusal(device: &Device, chat: ChatId) -> Result<Option<ErrorReason>> {
    let begun = Instant::now();
    loop {
        if let Err(error) = device.send_text(chat, "is it open?").await {
            return Ok(error.reason());
        }
        anyhow::ensure!(begun.elapsed() < SOON, "nothing is refused");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_written_while_the_service_is_away_is_sent_when_it_is_back() -> Result<()> {
    let mut world = World::start(ClusterKind::Embedded).await?;
    let endpoint: Endpoint = world.endpoint(0).patience(Duration::from_millis(500));
    let ann = world.first_device("ann", &endpoint).await?;
    let bob = world.first_device("bob", &endpoint).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    let mut anns = ann.receive();
    until(&mut anns, |event| matches!(event, Event::Connected)).await;
    world.cluster.nodes_mut()[0].kill()?;
    let error = ann.send_text(chat, "hello").await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(ann.history(chat)?[0].state, MessageState::Pending);
    world.cluster.nodes_mut()[0].restart().await?;
    let mut bobs = bob.receive();
    until(&mut bobs, |event| matches!(event, Event::Message(message) if message.text == "hello"))
        .await;
    shows(&bob, chat, &["hello"]).await;
    // The answer to Ann follows Bob's acknowledgement.
    let begun = Instant::now();
    while ann.history(chat)?[0].state != MessageState::Sent {
        assert!(begun.elapsed() < SOON, "{:?}", ann.history(chat)?[0].state);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}
