//! Messages to own devices and to the peer's: whom they must be for, and devices that are gone.

use bytes::Bytes;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{DeviceId, MessageId};
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::DeliveryState::{self, Revoked, Stored};
use tonic::Status;

use crate::chats::{open, pair};
use crate::on_both_databases;
use crate::person::{Device, Person, tenant};
use crate::revocation::rows_of;
use crate::world::{World, by, reason};

pub fn message(world: &World) -> String {
    MessageId(world.env.uuid()).to_string()
}

pub fn sealed_for(device: DeviceActor, text: &'static str) -> pb::DeviceEnvelope {
    let ciphertext = Bytes::from_static(text.as_bytes());
    pb::DeviceEnvelope { device_id: device.device.to_string(), ciphertext }
}

pub fn hash(person: &Person) -> Bytes {
    person.manifest.hash().0.to_vec().into()
}

/// What waits for a device, taken without acknowledging it.
pub async fn waiting(world: &World, device: DeviceActor) -> Vec<pb::Envelope> {
    let request = pb::PullRequest { page_size: 100, wait: None };
    world.messages().pull(by(device, request)).await.unwrap().into_inner().envelopes
}

pub async fn send_own(
    world: &World,
    person: &Person,
    to: &[DeviceActor],
) -> Result<pb::send_own_response::Outcome, Status> {
    let request = pb::SendOwnRequest {
        message_id: message(world),
        envelopes: to.iter().map(|device| sealed_for(*device, "read")).collect(),
        own_manifest_hash: hash(person),
    };
    let answer = world.messages().send_own(by(person.actor(), request)).await?;
    Ok(answer.into_inner().outcome.unwrap())
}

fn states(deliveries: &[pb::DeviceDelivery]) -> Vec<(&str, DeliveryState)> {
    deliveries.iter().map(|one| (one.device_id.as_str(), one.state())).collect()
}

#[track_caller]
fn accepted(outcome: pb::send_own_response::Outcome) -> Vec<pb::DeviceDelivery> {
    match outcome {
        pb::send_own_response::Outcome::Accepted(accepted) => accepted.deliveries,
        pb::send_own_response::Outcome::Mismatch(mismatch) => panic!("{mismatch:?}"),
    }
}

#[track_caller]
fn mismatched(outcome: pb::send_own_response::Outcome) -> pb::OwnDeviceMismatch {
    match outcome {
        pb::send_own_response::Outcome::Mismatch(mismatch) => mismatch,
        pb::send_own_response::Outcome::Accepted(accepted) => panic!("{accepted:?}"),
    }
}

/// Removes a device behind the back of every cache, as another node does while the bus is dead.
async fn remove(world: &World, device: &Device) {
    let sql = "UPDATE devices SET state = 2 WHERE tenant_id = $1 AND device_id = $2";
    let DeviceActor { tenant, device, .. } = device.actor;
    let values = vec![tenant.0.into(), device.0.into()];
    assert_eq!(world.execute(tenant, sql, values).await, 1);
}

/// A message of the first device of one to every device of the other.
pub async fn send(
    world: &World,
    chat_id: &str,
    from: &Person,
    to: &Person,
) -> pb::send_response::Outcome {
    try_send(world, chat_id, from, to).await.unwrap()
}

/// The same, which may be refused.
pub async fn try_send(
    world: &World,
    chat_id: &str,
    from: &Person,
    to: &Person,
) -> Result<pb::send_response::Outcome, Status> {
    let request = pb::SendRequest {
        chat_id: chat_id.to_owned(),
        message_id: message(world),
        peer_envelopes: to.devices.iter().map(|device| sealed_for(device.actor, "hi")).collect(),
        own_envelopes: from.devices[1..].iter().map(|one| sealed_for(one.actor, "hi")).collect(),
        peer_manifest_hash: hash(to),
        own_manifest_hash: hash(from),
        ephemeral: false,
        envelope_class: pb::EnvelopeClass::Message.into(),
    };
    let answer = world.messages().send(by(from.actor(), request)).await?;
    Ok(answer.into_inner().outcome.unwrap())
}

pub async fn control(
    world: &World,
    chat_id: &str,
    from: DeviceActor,
    to: DeviceActor,
) -> Result<pb::DeviceDelivery, Status> {
    let request = pb::SendControlRequest {
        chat_id: chat_id.to_owned(),
        message_id: message(world),
        envelope: Some(sealed_for(to, "repair")),
    };
    let answer = world.messages().send_control(by(from, request)).await?;
    Ok(answer.into_inner().delivery.unwrap())
}

on_both_databases! {
    async fn own_devices_tell_each_other_without_a_chat(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let alone = send_own(&world, &ann, &[]).await.unwrap();
        assert!(accepted(alone).is_empty(), "one device has nobody to tell");

        let second = ann.add_device(&world, false).await.actor;
        let third = ann.add_device(&world, false).await.actor;
        let deliveries = accepted(send_own(&world, &ann, &[second, third]).await.unwrap());
        let (one, two) = (second.device.to_string(), third.device.to_string());
        assert_eq!(states(&deliveries), [(one.as_str(), Stored), (two.as_str(), Stored)]);
        for device in [second, third] {
            let [envelope] = waiting(&world, device).await.try_into().unwrap();
            assert_eq!(envelope.chat_id, "");
            assert_eq!(envelope.ciphertext, "read");
            assert_eq!(envelope.sender.unwrap().device_id, ann.actor().device.to_string());
            assert_eq!(envelope.franking_tag.len(), 32);
        }
        assert!(waiting(&world, ann.actor()).await.is_empty());
    }

    async fn an_own_message_for_other_devices_than_the_manifests_is_a_mismatch(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let before = ann.clone();
        let second = ann.add_device(&world, false).await.actor;
        let stranger = Person::registered(&world, ann.user.0).await.actor();

        let missing = mismatched(send_own(&world, &ann, &[]).await.unwrap());
        assert_eq!(missing.missing_device_ids, [second.device.to_string()]);
        assert_eq!(missing.account.unwrap().user, Some(ann.pb_address()));
        let extra = mismatched(send_own(&world, &ann, &[second, stranger]).await.unwrap());
        assert_eq!(extra.extra_device_ids, [stranger.device.to_string()]);
        let itself = mismatched(send_own(&world, &ann, &[second, ann.actor()]).await.unwrap());
        assert_eq!(itself.extra_device_ids, [ann.actor().device.to_string()]);
        mismatched(send_own(&world, &before, &[second]).await.unwrap());
        let twice = send_own(&world, &ann, &[second, second]).await;
        assert_eq!(reason(twice), ErrorReason::InvalidField);
        for device in [second, stranger, ann.actor()] {
            assert!(waiting(&world, device).await.is_empty());
        }
    }

    async fn own_messages_are_limited_for_each_device(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let second = ann.add_device(&world, false).await;
        let mut limited = false;
        for _ in 0..400 {
            let Err(status) = send_own(&world, &ann, &[]).await else { continue };
            assert_eq!(reason::<()>(Err(status)), ErrorReason::RateLimited);
            limited = true;
            break;
        }
        assert!(limited, "400 at once");
        let request = pb::SendOwnRequest {
            message_id: message(&world),
            envelopes: vec![],
            own_manifest_hash: hash(&ann),
        };
        world.messages().send_own(by(second.actor, request)).await.unwrap();
    }

    async fn control_without_a_chat_reaches_own_devices_and_nobody_else(world: World) {
        let (mut ann, bob, _, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        let second = ann.add_device(&world, false).await.actor;
        let delivery = control(&world, "", ann.actor(), second).await.unwrap();
        assert_eq!(delivery.state(), Stored);
        assert_eq!(waiting(&world, second).await[0].chat_id, "");
        // The peer is reached in the chat alone; oneself and nobody are not reached at all.
        let nobody = DeviceActor { device: DeviceId(world.env.uuid()), ..ann.actor() };
        for to in [bob.actor(), ann.actor(), nobody] {
            let refused = control(&world, "", ann.actor(), to).await;
            assert_eq!(reason(refused), ErrorReason::NotFound);
        }
        assert!(waiting(&world, bob.actor()).await.is_empty());
        control(&world, &chat, ann.actor(), bob.actor()).await.unwrap();
        assert_eq!(waiting(&world, bob.actor()).await[0].chat_id, chat);
        // Repairing is no way to chat: sixty at once, whichever device of the two writes.
        let mut more = 0;
        let refused = loop {
            match control(&world, &chat, ann.actor(), bob.actor()).await {
                Ok(_) => more += 1,
                Err(status) => break status,
            }
        };
        assert_eq!(reason::<()>(Err(refused)), ErrorReason::RateLimited);
        assert!((50..70).contains(&more), "{more} at once");
    }

    async fn a_device_that_a_node_does_not_know_to_be_gone_is_answered_as_revoked(world: World) {
        let (mut ann, mut bob, _, of_bob) = pair(&world).await;
        let chat = open(&world, &ann, &of_bob, "request-1").await.unwrap().chat.unwrap().chat_id;
        let gone = bob.add_device(&world, false).await;
        let own = ann.add_device(&world, false).await;
        world.messaging.directory().device_set(bob.user.0, bob.user.1).await.unwrap();
        remove(&world, &gone).await;
        // As long as the directory remembers the device, one second at most, the message is taken
        // and the answer says who got nothing; after that it is a mismatch.
        match send(&world, &chat, &ann, &bob).await {
            pb::send_response::Outcome::Accepted(accepted) => {
                let state = |device: &Device| {
                    let id = device.actor.device.to_string();
                    accepted.deliveries.iter().find(|one| one.device_id == id).unwrap().state()
                };
                assert_eq!(state(&gone), Revoked);
                assert_eq!((state(&bob.devices[0]), state(&own)), (Stored, Stored));
            }
            pb::send_response::Outcome::Mismatch(mismatch) => {
                assert_eq!(mismatch.extra_device_ids, [gone.actor.device.to_string()]);
            }
        }
        assert_eq!(rows_of(&world, "envelopes", gone.actor.device).await, 0);
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        let outcome = send(&world, &chat, &ann, &bob).await;
        let pb::send_response::Outcome::Mismatch(mismatch) = outcome else { panic!("{outcome:?}") };
        assert_eq!(mismatch.extra_device_ids, [gone.actor.device.to_string()]);
    }
}
