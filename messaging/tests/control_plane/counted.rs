//! Messages that are paid for one by one: what asks for a unit, when, and what does not.

use std::time::Duration;

use plasma_kit::ids::ChatId;
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::EnvelopeClass::{self, Control, Message, Notice};
use plasma_proto::messaging::v1::send_response::Outcome;
use tonic::Status;

use crate::chats::{open, pair};
use crate::messages::{control, hash, message, sealed_for, send, send_own, try_send, waiting};
use crate::on_both_databases;
use crate::person::Person;
use crate::world::{World, by, reason};

/// Two users, of whom the first has bought some messages to the other.
async fn sold(world: &World, messages: usize) -> (Person, Person, String) {
    world.access.sell_messages(Some(messages));
    let (ann, bob, _, of_bob) = pair(world).await;
    let chat = open(world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
    (ann, bob, chat)
}

fn request(world: &World, chat: &str, from: &Person, to: &Person) -> pb::SendRequest {
    pb::SendRequest {
        chat_id: chat.to_owned(),
        message_id: message(world),
        peer_envelopes: to.devices.iter().map(|device| sealed_for(device.actor, "hi")).collect(),
        own_envelopes: from.devices[1..].iter().map(|one| sealed_for(one.actor, "hi")).collect(),
        peer_manifest_hash: hash(to),
        own_manifest_hash: hash(from),
        ephemeral: false,
        envelope_class: Message.into(),
    }
}

async fn answer(world: &World, from: &Person, request: pb::SendRequest) -> Result<Outcome, Status> {
    Ok(world.messages().send(by(from.actor(), request)).await?.into_inner().outcome.unwrap())
}

fn classes(envelopes: &[pb::Envelope]) -> Vec<EnvelopeClass> {
    envelopes.iter().map(pb::Envelope::envelope_class).collect()
}

on_both_databases! {
    async fn a_message_that_nobody_paid_for_goes_nowhere(world: World) {
        let (mut ann, mut bob, chat) = sold(&world, 1).await;
        let second = bob.add_device(&world, false).await;
        let own = ann.add_device(&world, false).await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let outcome = send(&world, &chat, &ann, &bob).await;
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        for _ in 0..3 {
            let refused = try_send(&world, &chat, &ann, &bob).await;
            assert_eq!(reason(refused), ErrorReason::AccessRequired);
        }
        for device in [bob.actor(), second.actor, own.actor] {
            assert_eq!(waiting(&world, device).await.len(), 1);
        }
        // The peer answers for nothing, also now.
        let asked = world.access.spend_calls();
        send(&world, &chat, &bob, &ann).await;
        assert_eq!(world.access.spend_calls(), asked);
    }

    async fn only_a_message_that_would_be_taken_asks_for_a_unit(world: World) {
        let (mut ann, bob, chat) = sold(&world, 5).await;
        let own = ann.add_device(&world, false).await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let honest = || request(&world, &chat, &ann, &bob);
        let missing = pb::SendRequest { own_envelopes: Vec::new(), ..honest() };
        let outcome = answer(&world, &ann, missing).await.unwrap();
        assert!(matches!(outcome, Outcome::Mismatch(_)), "{outcome:?}");
        let outdated = pb::SendRequest { peer_manifest_hash: vec![1; 32].into(), ..honest() };
        let outcome = answer(&world, &ann, outdated).await.unwrap();
        assert!(matches!(outcome, Outcome::Mismatch(_)), "{outcome:?}");
        let forged = pb::SendRequest { envelope_class: Control.into(), ..honest() };
        let refused = answer(&world, &ann, forged).await;
        assert_eq!(reason(refused), ErrorReason::InvalidField);
        assert!(waiting(&world, bob.actor()).await.is_empty());

        let notice = pb::SendRequest { envelope_class: Notice.into(), ..honest() };
        answer(&world, &ann, notice).await.unwrap();
        send_own(&world, &ann, &[own.actor]).await.unwrap();
        control(&world, &chat, ann.actor(), bob.actor()).await.unwrap();
        assert_eq!(world.access.spend_calls(), 0);

        let said = EnvelopeClass::Unspecified.into();
        answer(&world, &ann, pb::SendRequest { envelope_class: said, ..honest() }).await.unwrap();
        assert_eq!(world.access.spend_calls(), 1);
        let to_bob = classes(&waiting(&world, bob.actor()).await);
        assert_eq!(to_bob, [Notice, Control, Message], "each came as what it was sent as");
        let to_own = classes(&waiting(&world, own.actor).await);
        assert_eq!(to_own, [Notice, Control, Message]);
    }

    async fn a_chat_whose_messages_nobody_counts_asks_for_none(world: World) {
        let (ann, bob, _, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        send(&world, &chat, &ann, &bob).await;
        send(&world, &chat, &bob, &ann).await;
        assert_eq!(world.access.spend_calls(), 0);
    }

    async fn what_was_bought_elsewhere_meanwhile_counts_after_a_second(world: World) {
        let (ann, bob, chat) = sold(&world, 0).await;
        assert_eq!(reason(try_send(&world, &chat, &ann, &bob).await), ErrorReason::AccessRequired);
        // Another node has sold a pass that counts nothing, and nobody has said so here.
        world.access.stop_counting(ChatId::checked(&chat));
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let outcome = send(&world, &chat, &ann, &bob).await;
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    }
}
