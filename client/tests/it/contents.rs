//! What people expect of a messenger, through the service: two users with three devices.

use std::time::{Duration, Instant};

use anyhow::Result;
use plasma_client::{
    ChatId, DeliveryState, Device, Env, Event, Events, Message, MessageRef, MessageState,
};
use plasma_testkit::{Cluster, ClusterKind};

use crate::world::{SOON, World, open, shows, until};

/// Ann with two devices and Bob with one, all listening.
struct Scene {
    world: World,
    ann: Device,
    ann2: Device,
    bob: Device,
    chat: ChatId,
    events: [Events; 3],
}

impl Scene {
    async fn start(kind: ClusterKind) -> Result<Self> {
        Box::pin(Self::on(World::start(kind).await?, Env::system())).await
    }

    async fn on(world: World, env: Env) -> Result<Self> {
        let (left, right) = (world.endpoint(0).env(env.clone()), world.endpoint(1).env(env));
        let ann = world.first_device("ann", &left).await?;
        let ann2 = world.linked("ann", &ann, &right).await?;
        let bob = world.first_device("bob", &right).await?;
        let chat = open(&ann, &bob.create_link().await?).await?;
        let mut events = [ann.receive(), ann2.receive(), bob.receive()];
        for events in &mut events {
            until(events, |event| matches!(event, Event::QueueEmpty)).await;
        }
        Ok(Self { world, ann, ann2, bob, chat, events })
    }

    fn devices(&self) -> [&Device; 3] {
        [&self.ann, &self.ann2, &self.bob]
    }

    /// Sends a text and waits until every device shows it.
    async fn text(&self, from: &Device, text: &str) -> Result<MessageRef> {
        let report = from.send_text(self.chat, text).await?;
        let message = MessageRef { sender: from.address(), id: report.message };
        for device in self.devices() {
            self.sees(device, message, |shown| shown.text == text).await;
        }
        Ok(message)
    }

    fn find(&self, device: &Device, message: MessageRef) -> Option<Message> {
        let history = device.history(self.chat).unwrap();
        history.into_iter().find(|shown| shown.reference() == message)
    }

    async fn sees(&self, device: &Device, message: MessageRef, wanted: impl Fn(&Message) -> bool) {
        let begun = Instant::now();
        while !self.find(device, message).is_some_and(|shown| wanted(&shown)) {
            let shown = self.find(device, message);
            assert!(begun.elapsed() < SOON, "{:?} shows {shown:?}", device.address());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn all_see(&self, message: MessageRef, wanted: impl Fn(&Message) -> bool) {
        for device in self.devices() {
            self.sees(device, message, &wanted).await;
        }
    }
}

async fn eventually(wanted: impl Fn() -> bool) {
    let begun = Instant::now();
    while !wanted() {
        assert!(begun.elapsed() < SOON, "it never came to that");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_delivered_read_and_counted_alike_on_all_devices() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let mut scene = Box::pin(Scene::start(kind)).await?;
        let (one, two) =
            (scene.text(&scene.bob, "one").await?, scene.text(&scene.bob, "two").await?);
        let delivered = |shown: &Message| shown.state == MessageState::Delivered;
        scene.sees(&scene.bob, two, delivered).await;
        assert_eq!((scene.ann.unread(scene.chat)?, scene.ann2.unread(scene.chat)?), (2, 2));
        assert_eq!(scene.ann.mark_read(scene.chat, one).await?, 1);
        let read = |shown: &Message| shown.state == MessageState::Read;
        scene.sees(&scene.bob, one, read).await;
        scene.sees(&scene.bob, two, delivered).await;
        eventually(|| scene.ann2.unread(scene.chat).unwrap() == 1).await;
        assert_eq!(scene.ann2.chats_overview()?[0].unread, 1);
        let told = |event: &Event| matches!(event, Event::ReadElsewhere { unread: 1, .. });
        until(&mut scene.events[1], told).await;

        // The switch is thrown on one device and holds on the other: Bob hears no more, Ann does.
        scene.ann.set_read_receipts(false).await?;
        eventually(|| !scene.ann2.sends_read_receipts().unwrap()).await;
        assert_eq!(scene.ann2.mark_read(scene.chat, two).await?, 1);
        eventually(|| scene.ann.unread(scene.chat).unwrap() == 0).await;
        scene.text(&scene.ann, "three").await?;
        assert!(scene.find(&scene.bob, two).is_some_and(|shown| delivered(&shown)), "{kind:?}");
        for device in scene.devices() {
            assert!(device.undecryptable_reasons()?.is_empty());
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_reactions_edits_and_deletions_reach_every_device() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let scene = Box::pin(Scene::start(kind)).await?;
        let chat = scene.chat;
        let message = scene.text(&scene.ann, "helo").await?;
        let reply = scene.bob.send_reply(chat, "what?", message).await?;
        let reply = MessageRef { sender: scene.bob.address(), id: reply.message };
        scene.all_see(reply, |shown| shown.reply_to == Some(message)).await;
        scene.ann2.edit(chat, message, "hello").await?;
        scene.all_see(message, |shown| shown.text == "hello" && shown.edited).await;
        assert!(scene.bob.edit(chat, message, "as if by Ann").await.is_err());
        scene.bob.react(chat, message, "+1").await?;
        scene.all_see(message, |shown| shown.reactions.len() == 1).await;
        scene.bob.react(chat, message, "").await?;
        scene.all_see(message, |shown| shown.reactions.is_empty()).await;
        assert!(scene.ann.delete(chat, reply).await.is_err());
        scene.ann.delete(chat, message).await?;
        scene.all_see(message, |shown| shown.deleted && shown.text.is_empty()).await;
        scene.all_see(reply, |shown| shown.reply_to == Some(message)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_disappear_after_the_time_that_was_set_with_them() -> Result<()> {
    let env = Env::system();
    let scene =
        Box::pin(Scene::on(World::start(ClusterKind::Embedded).await?, env.clone())).await?;
    scene.bob.set_disappearing_timer(scene.chat, 3_600).await?;
    let set = |device: &Device| device.chats_overview().unwrap()[0].disappear_after_seconds;
    eventually(|| scene.devices().into_iter().all(|device| set(device) == 3_600)).await;
    let message = scene.text(&scene.ann, "not for long").await?;
    scene.bob.mark_read(scene.chat, message).await?;
    scene.sees(&scene.ann, message, |shown| shown.state == MessageState::Read).await;
    env.move_clock(3_601 * 1_000_000);
    for device in scene.devices() {
        let events = device.expire_messages()?;
        let gone = |event: &Event| matches!(event, Event::Expired { messages, .. } if messages[..] == [message]);
        assert!(events.iter().any(gone), "{events:?}");
        assert!(scene.find(device, message).is_none());
    }
    scene.bob.set_disappearing_timer(scene.chat, 0).await?;
    eventually(|| set(&scene.ann) == 0).await;
    let stays = scene.text(&scene.ann, "for good").await?;
    assert_eq!(scene.find(&scene.bob, stays).unwrap().disappear_after_seconds, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listening_device_lets_messages_disappear_by_itself() -> Result<()> {
    let mut scene = Box::pin(Scene::start(ClusterKind::Embedded)).await?;
    scene.ann.set_disappearing_timer(scene.chat, 1).await?;
    let report = scene.ann.send_text(scene.chat, "not for long").await?;
    let message = MessageRef { sender: scene.ann.address(), id: report.message };
    until(&mut scene.events[1], |event| matches!(event, Event::Message(_))).await;
    let gone = |event: &Event| matches!(event, Event::Expired { messages, .. } if messages[..] == [message]);
    until(&mut scene.events[1], gone).await;
    assert!(scene.find(&scene.ann2, message).is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_chat_is_muted_on_every_own_device_and_nobody_else_knows() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let mut scene = Box::pin(Scene::start(kind)).await?;
        let until_micros = Env::system().now_micros() + 3_600_000_000;
        scene.ann.mute(scene.chat, Some(until_micros)).await?;
        let told = |event: &Event| matches!(event, Event::Muted { until_micros: Some(_), .. });
        until(&mut scene.events[1], told).await;
        let muted = |device: &Device| device.chats_overview().unwrap()[0].mute_until_micros;
        assert_eq!(muted(&scene.ann2), Some(until_micros));
        scene.ann2.mute(scene.chat, None).await?;
        eventually(|| muted(&scene.ann).is_none()).await;
        scene.text(&scene.ann, "hello").await?;
        assert_eq!(muted(&scene.bob), None);
        scene.ann.rename_device(scene.ann.address().device, "Phone").await?;
        let named = |device: &Device| {
            let devices = device.devices().unwrap();
            devices.iter().any(|own| own.name.as_deref() == Some("Phone"))
        };
        eventually(|| named(&scene.ann2)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_told_ends_by_itself_and_leaves_nothing_anywhere() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let cluster = Cluster::builder(kind).private_servers().start().await?;
        let mut scene = Box::pin(Scene::on(World::of(cluster).await?, Env::system())).await?;
        scene.text(&scene.ann, "hello").await?;
        scene.sees(&scene.ann, first(&scene), |shown| shown.state == MessageState::Delivered).await;
        let stores = scene.world.cluster.stores()?;
        let before = tokio::task::spawn_blocking({
            let stores = scene.world.cluster.stores()?;
            move || stores.settled()
        })
        .await??;
        let report = scene.ann.typing(scene.chat, true).await?;
        assert_eq!(report.count(DeliveryState::Stored), 0);
        assert_eq!(report.count(DeliveryState::Delivered), 2, "{kind:?} {report:?}");
        let starts = |event: &Event| matches!(event, Event::Typing { active: true, .. });
        until(&mut scene.events[2], starts).await;
        let begun = Instant::now();
        let ends = |event: &Event| matches!(event, Event::Typing { active: false, .. });
        until(&mut scene.events[2], ends).await;
        assert!(begun.elapsed() > Duration::from_secs(5), "it ended early");
        let after = tokio::task::spawn_blocking(move || stores.settled()).await??;
        let change = after.since(&before);
        assert!(change.stored_nothing(), "{kind:?}: {change}");

        // A device that is offline gets nothing, now or later.
        let Scene { ann, bob, chat, events, .. } = &mut scene;
        drop(std::mem::replace(&mut events[2], ann.receive()));
        let begun = Instant::now();
        while ann.typing(*chat, true).await?.count(DeliveryState::Dropped) == 0 {
            assert!(begun.elapsed() < SOON, "still taken for online");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(bob.pull_once(Duration::ZERO).await?.is_empty());
    }
    Ok(())
}

fn first(scene: &Scene) -> MessageRef {
    scene.ann.history(scene.chat).unwrap()[0].reference()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_while_the_chat_is_blocked_still_reaches_the_own_devices() -> Result<()> {
    let scene = Box::pin(Scene::start(ClusterKind::Embedded)).await?;
    let message = scene.text(&scene.bob, "hello").await?;
    scene.sees(&scene.bob, message, |shown| shown.state == MessageState::Delivered).await;
    scene.bob.block(scene.chat).await?;
    let begun = Instant::now();
    while scene.ann.send_text(scene.chat, "is it open?").await.is_ok() {
        assert!(begun.elapsed() < SOON, "nothing is refused");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(scene.ann.mark_read(scene.chat, message).await?, 1);
    eventually(|| scene.ann2.unread(scene.chat).unwrap() == 0).await;
    assert!(scene.find(&scene.bob, message).is_some_and(|m| m.state == MessageState::Delivered));
    assert!(scene.ann.flush_outbox().await?.is_empty(), "nothing is kept for ever");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_offline_ends_with_what_the_others_show() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    let ann2 = world.linked("ann", &ann, &endpoint).await?;
    let bob = world.first_device("bob", &endpoint).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    // Bob has to know of both of Ann's devices.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    for text in ["one", "two", "three"] {
        bob.send_text(chat, text).await?;
    }
    ann.pull_once(Duration::from_secs(5)).await?;
    let shown = ann.history(chat)?;
    ann.mark_read(chat, shown[1].reference()).await?;
    ann.react(chat, shown[0].reference(), "+1").await?;
    bob.delete(chat, bob.history(chat)?[2].reference()).await?;
    for device in [&ann, &ann2] {
        while !device.pull_once(Duration::from_secs(1)).await?.is_empty() {}
        shows(device, chat, &["one", "two", ""]).await;
        assert_eq!(device.unread(chat)?, 0);
    }
    assert_eq!(ann.history(chat)?, ann2.history(chat)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_begins_with_how_the_others_are_set_up() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    let bob = world.first_device("bob", &endpoint).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    let until_micros = Env::system().now_micros() + 3_600_000_000;
    ann.mute(chat, Some(until_micros)).await?;
    ann.set_read_receipts(false).await?;
    ann.set_disappearing_timer(chat, 3_600).await?;
    let ann2 = world.linked("ann", &ann, &endpoint).await?;
    assert_eq!(ann2.chats_overview()?, ann.chats_overview()?);
    assert_eq!(ann2.chats_overview()?[0].mute_until_micros, Some(until_micros));
    assert_eq!(ann2.chats_overview()?[0].disappear_after_seconds, 3_600);
    assert!(!ann2.sends_read_receipts()?);
    Ok(())
}
