//! Messages that are paid for one by one: each costs its sender a unit, once, and nothing else does.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use plasma_client::{
    AccessNeeded, ChatId, Device, Endpoint, Error, Event, Events, MessageRef, MessageState,
    UndecryptableReason, accept,
};
use plasma_proto::billing::v1::Pass;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_proto::messaging::v1::send_response::Outcome;
use plasma_testkit::platform::{amount, message_bundle};
use plasma_testkit::{ClusterKind, Onboarding, Proxy};
use tonic::transport::Channel;

use crate::world::{SOON, World, open, shows, until};

const PRICE: i64 = 100;

/// Ann has bought messages to Bob. The two are on different nodes.
struct Scene {
    world: World,
    ann: Device,
    bob: Device,
    chat: ChatId,
}

impl Scene {
    async fn sold(kind: ClusterKind, messages: i32) -> Result<Self> {
        let onboarding = Onboarding::paid("Letters", 1_000);
        let world = World::of_platform(kind, onboarding).await?;
        let ann = world.first_device("ann", &world.endpoint(0)).await?;
        Self::sold_to(world, ann, messages).await
    }

    async fn sold_to(world: World, ann: Device, messages: i32) -> Result<Self> {
        let terms = message_bundle(amount("EUR", PRICE), messages);
        world.platform.publish_price(terms, None, 7_000).await?;
        let bob = world.first_device("bob", &world.endpoint(1)).await?;
        let user = world.platform.lookup("ann").await?;
        world.platform.credit(&user, amount("EUR", 10 * PRICE)).await?;
        let chat = open(&ann, &bob.create_link().await?).await?;
        Ok(Self { world, ann, bob, chat })
    }

    async fn pass(&self) -> Result<Pass> {
        self.ann.quote(self.chat).await?.pass.context("a pass")
    }

    /// Units of the latest bundle that are spent.
    async fn spent(&self) -> Result<i32> {
        self.pass().await?.messages_spent.context("a bundle")
    }

    /// A message of Ann's to Bob as the service sees it: what is in it is nobody's business.
    fn request(&self, number: u128, ciphertext: u8) -> Result<pb::SendRequest> {
        let device = self.bob.address().device.as_u128();
        Ok(pb::SendRequest {
            chat_id: self.chat.to_string(),
            message_id: plasma_proto::id::format("msg", number),
            peer_envelopes: vec![pb::DeviceEnvelope {
                device_id: plasma_proto::id::format("device", device),
                ciphertext: vec![ciphertext; 256].into(),
            }],
            own_envelopes: Vec::new(),
            peer_manifest_hash: self.bob.own_account()?.manifest_hash().0.to_vec().into(),
            own_manifest_hash: self.ann.own_account()?.manifest_hash().0.to_vec().into(),
            ephemeral: false,
            envelope_class: pb::EnvelopeClass::Message.into(),
        })
    }

    /// Sends as Ann through a node.
    async fn send(&self, node: usize, request: pb::SendRequest) -> Result<Outcome> {
        Ok(self.try_send(node, request).await??)
    }

    async fn try_send(
        &self,
        node: usize,
        request: pb::SendRequest,
    ) -> Result<Result<Outcome, Error>> {
        let channel = self.world.cluster.node(node).channel()?;
        let operation = move |_: Channel, request| {
            let channel = channel.clone();
            async move { MessageServiceClient::new(channel).send(request).await }
        };
        let answer = self.ann.call(request, operation).await;
        answer
            .map(|answer| answer.outcome.context("an outcome"))
            .map_or_else(|error| Ok(Err(error)), |outcome| outcome.map(Ok))
    }

    /// How many envelopes wait for Bob, once as many do as are expected or none comes any more.
    async fn waiting(&self, expected: usize) -> Result<usize> {
        let begun = Instant::now();
        loop {
            let request = pb::PullRequest { page_size: 100, wait: None };
            let operation = |channel: Channel, request| async move {
                MessageServiceClient::new(channel).pull(request).await
            };
            let count = self.bob.call(request, operation).await?.envelopes.len();
            if count == expected || begun.elapsed() > SOON {
                return Ok(count);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn connected(device: &Device) -> Events {
    let mut events = device.receive();
    until(&mut events, |event| matches!(event, Event::QueueEmpty)).await;
    events
}

#[track_caller]
fn is_accepted(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn three_bought_messages_go_and_the_fourth_waits_for_a_purchase() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let scene = Box::pin(Scene::sold(kind, 3)).await?;
        let (ann, bob, chat) = (&scene.ann, &scene.bob, scene.chat);
        let (_anns, _bobs) = (connected(ann).await, connected(bob).await);
        for text in ["one", "two", "three"] {
            ann.send_text(chat, text).await?;
        }
        shows(bob, chat, &["one", "two", "three"]).await;
        let refused = ann.send_text(chat, "four").await.unwrap_err();
        assert_eq!(refused.access_needed(), Some(AccessNeeded::Messages), "{kind:?}: {refused}");
        assert_eq!(ann.history(chat)?[3].state, MessageState::Pending);

        // Nothing of the peer's, and nothing but messages, costs anything.
        for text in ["1", "2", "3", "4"] {
            bob.send_text(chat, text).await?;
        }
        let begun = Instant::now();
        while ann.history(chat)?.len() < 8 {
            assert!(begun.elapsed() < SOON, "{kind:?}: the answers have not come");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let last = ann.history(chat)?.into_iter().rfind(|message| message.text == "4");
        let last = last.context("an answer")?;
        let about = MessageRef { sender: last.sender, id: last.id };
        ann.typing(chat, true).await?;
        assert_eq!(ann.mark_read(chat, about).await?, 4);
        ann.react(chat, about, "👍").await?;
        ann.set_disappearing_timer(chat, 0).await?;
        assert_eq!(scene.spent().await?, 3, "{kind:?}");
        let spelt = ann.react(chat, about, "in words").await.unwrap_err();
        assert_eq!(spelt.access_needed(), Some(AccessNeeded::Messages), "{kind:?}: {spelt}");
        let begun = Instant::now();
        while !bob
            .history(chat)?
            .iter()
            .any(|message| message.text == "4" && message.state == MessageState::Read)
        {
            assert!(begun.elapsed() < SOON, "{kind:?}: Bob is not told that his answer was read");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let texts: Vec<String> =
            bob.history(chat)?.into_iter().map(|message| message.text).collect();
        assert!(!texts.contains(&"four".to_owned()), "{kind:?}: {texts:?}");

        let offer = ann.quote(chat).await?;
        let bought = ann.renew(chat, accept(&offer.quote)).await?.pass;
        assert_eq!(bought.messages, Some(3));
        let begun = Instant::now();
        while !bob.history(chat)?.iter().any(|message| message.text == "four") {
            assert!(begun.elapsed() < SOON, "{kind:?}: what waited is not sent");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The text, and the reaction in words, which follows it.
        let begun = Instant::now();
        while scene.spent().await? < 2 {
            assert!(begun.elapsed() < SOON, "{kind:?}: the reaction is not sent");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(scene.spent().await?, 2, "{kind:?}");
        assert!(bob.not_shown()?.is_empty(), "{:?}", bob.not_shown()?);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_relayed_to_nobody() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let scene = Box::pin(Scene::sold(kind, 1)).await?;
        is_accepted(&scene.send(0, scene.request(1, 1)?).await?);
        for (node, class) in [(0, pb::EnvelopeClass::Message), (1, pb::EnvelopeClass::Unspecified)]
        {
            let request = pb::SendRequest { envelope_class: class.into(), ..scene.request(2, 2)? };
            let refused = scene.try_send(node, request).await?.unwrap_err();
            assert_eq!(refused.reason(), Some(ErrorReason::AccessRequired), "{kind:?}");
            assert_eq!(refused.access_needed(), Some(AccessNeeded::Messages), "{kind:?}");
        }
        let ephemeral = pb::SendRequest { ephemeral: true, ..scene.request(3, 3)? };
        let refused = scene.try_send(0, ephemeral).await?.unwrap_err();
        assert_eq!(refused.access_needed(), Some(AccessNeeded::Messages), "{kind:?}");
        assert_eq!(scene.waiting(1).await?, 1, "{kind:?}");
        assert_eq!(scene.spent().await?, 1, "{kind:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_costs_once_however_often_and_wherever_it_is_sent() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let scene = Box::pin(Scene::sold(kind, 3)).await?;
        let scene = &scene;
        let racers =
            (0..32).map(|number| async move { scene.send(number % 2, scene.request(1, 1)?).await });
        for outcome in join_all(racers).await {
            is_accepted(&outcome?);
        }
        assert_eq!(scene.spent().await?, 1, "{kind:?}");
        is_accepted(&scene.send(1, scene.request(1, 1)?).await?);
        assert_eq!(scene.spent().await?, 1, "{kind:?}");
        assert_eq!(scene.waiting(1).await?, 1, "{kind:?}");

        // Another content under the same id is another message.
        is_accepted(&scene.send(0, scene.request(1, 2)?).await?);
        assert_eq!(scene.spent().await?, 2, "{kind:?}");
        is_accepted(&scene.send(0, scene.request(2, 1)?).await?);
        assert_eq!(scene.spent().await?, 3, "{kind:?}");
        // All is spent, and what was paid for can still be repeated.
        for node in [0, 1] {
            is_accepted(&scene.send(node, scene.request(1, 1)?).await?);
            is_accepted(&scene.send(node, scene.request(1, 2)?).await?);
            let refused = scene.try_send(node, scene.request(1, 3)?).await?.unwrap_err();
            assert_eq!(refused.access_needed(), Some(AccessNeeded::Messages), "{kind:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_or_not_a_message_costs_nothing() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let scene = Box::pin(Scene::sold(kind, 3)).await?;
        let outdated =
            pb::SendRequest { peer_manifest_hash: vec![7; 32].into(), ..scene.request(1, 1)? };
        let outcome = scene.send(0, outdated).await?;
        assert!(matches!(outcome, Outcome::Mismatch(_)), "{outcome:?}");
        let notice = pb::EnvelopeClass::Notice.into();
        let notice = pb::SendRequest { envelope_class: notice, ..scene.request(2, 2)? };
        is_accepted(&scene.send(1, notice).await?);
        let control = pb::EnvelopeClass::Control.into();
        let control = pb::SendRequest { envelope_class: control, ..scene.request(3, 3)? };
        let refused = scene.try_send(0, control).await?.unwrap_err();
        assert_eq!(refused.reason(), Some(ErrorReason::InvalidField), "{kind:?}");
        assert_eq!(scene.spent().await?, 0, "{kind:?}");

        let request = pb::PullRequest {
            page_size: 100,
            wait: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
        };
        let operation = |channel: Channel, request| async move {
            MessageServiceClient::new(channel).pull(request).await
        };
        let waiting = scene.bob.call(request, operation).await?.envelopes;
        let classes: Vec<_> = waiting.iter().map(pb::Envelope::envelope_class).collect();
        assert_eq!(classes, [pb::EnvelopeClass::Notice], "{kind:?}: told as it was declared");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_at_once_exactly_as_many_go_as_were_bought() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let scene = Box::pin(Scene::sold(kind, 20)).await?;
        let scene = &scene;
        let racers = (0..50_u8).map(|number| async move {
            let request = scene.request(u128::from(number) + 1, number)?;
            scene.try_send(usize::from(number % 2), request).await
        });
        let mut gone = 0;
        for outcome in join_all(racers).await {
            match outcome? {
                Ok(outcome) => {
                    is_accepted(&outcome);
                    gone += 1;
                }
                Err(refused) => {
                    assert_eq!(refused.access_needed(), Some(AccessNeeded::Messages), "{refused}");
                }
            }
        }
        assert_eq!(gone, 20, "{kind:?}");
        assert_eq!(scene.spent().await?, 20, "{kind:?}");
        assert_eq!(scene.waiting(20).await?, 20, "{kind:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_bundle_adds_its_messages() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let scene = Box::pin(Scene::sold(kind, 2)).await?;
        is_accepted(&scene.send(0, scene.request(1, 1)?).await?);
        let accepted = accept(&scene.ann.quote(scene.chat).await?.quote);
        let same = scene.ann.renew(scene.chat, accepted.clone()).await?.pass;
        assert_eq!((same.messages, same.messages_spent), (Some(2), Some(1)), "{kind:?}");
        let added = scene.ann.extend(scene.chat, accepted).await?.pass;
        assert_ne!(added.pass_id, same.pass_id, "{kind:?}");
        for number in 2..=4 {
            is_accepted(&scene.send(number % 2, scene.request(u128::try_from(number)?, 1)?).await?);
        }
        let refused = scene.try_send(1, scene.request(5, 1)?).await?.unwrap_err();
        assert_eq!(refused.access_needed(), Some(AccessNeeded::Messages), "{kind:?}");
        assert_eq!(scene.spent().await?, 2, "{kind:?}: of the second");
        let user = scene.world.platform.lookup("ann").await?;
        let wallet = scene.world.platform.wallet(&user, "EUR").await?;
        ensure!(wallet.balance.context("a balance")?.minor_units == 8 * PRICE, "{kind:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_was_lost_is_sent_again_for_the_same_unit() -> Result<()> {
    let onboarding = Onboarding::paid("Letters", 1_000);
    let world = World::of_platform(ClusterKind::Embedded, onboarding).await?;
    let proxy = Proxy::start(world.cluster.node(0).channel()?).await?;
    let endpoint = Endpoint::new(proxy.url()).patience(Duration::from_millis(500));
    let ann = world.first_device("ann", &endpoint).await?;
    let scene = Scene::sold_to(world, ann, 3).await?;
    proxy.lose("Send");
    let lost = scene.ann.send_text(scene.chat, "hello").await.unwrap_err();
    assert!(lost.is_transient(), "{lost:?}");
    assert_eq!(scene.spent().await?, 1);
    proxy.restore("Send");
    assert_eq!(scene.ann.flush_outbox().await?.len(), 1);
    assert_eq!(scene.spent().await?, 1);
    let _bobs = connected(&scene.bob).await;
    shows(&scene.bob, scene.chat, &["hello"]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_sent_as_a_notice_is_not_shown() -> Result<()> {
    let onboarding = Onboarding::paid("Letters", 1_000);
    let world = World::of_platform(ClusterKind::Embedded, onboarding).await?;
    let ann = world.first_device("ann", &world.endpoint(0)).await?;
    let scene = Scene::sold_to(world, ann, 3).await?;
    // What a client of its own making would do: the very envelopes of a message, as a notice.
    let proxy = Proxy::start(scene.world.cluster.node(0).channel()?).await?;
    proxy.change("Pull", |answer: &mut pb::PullResponse| {
        for envelope in &mut answer.envelopes {
            envelope.envelope_class = pb::EnvelopeClass::Notice.into();
        }
    });
    let carl = scene.world.first_device("carl", &Endpoint::new(proxy.url())).await?;
    let chat = open(&scene.ann, &carl.create_link().await?).await?;
    scene.ann.send_text(chat, "for nothing").await?;
    let events = carl.pull_once(Duration::from_secs(5)).await?;
    let [Event::Undecryptable(refused)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(refused.reason, UndecryptableReason::WrongClass);
    assert!(carl.history(chat)?.is_empty());
    Ok(())
}
