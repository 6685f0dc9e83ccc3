//! Prekeys: published by their device alone, handed out once.

use std::collections::BTreeSet;

use bytes::Bytes;
use plasma_identity::{PrekeyRole, SignedPrekey};
use plasma_kit::actor::DeviceActor;
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tonic::{Code, Status};

use crate::on_both_databases;
use crate::person::{Device, Person, some_device_of, tenant};
use crate::world::{World, by, metadata, reason};

pub fn one_time(
    world: &World,
    device: &Device,
    role: PrekeyRole,
    ids: std::ops::Range<u32>,
) -> Vec<Bytes> {
    ids.map(|id| device.prekey(&world.env, role, id)).collect()
}

pub async fn publish(
    world: &World,
    device: &Device,
    request: pb::PublishPrekeysRequest,
) -> Result<(u32, u32), Status> {
    let answer = world.keys().publish_prekeys(by(device.actor, request)).await?.into_inner();
    Ok((answer.one_time_prekey_count, answer.one_time_kem_prekey_count))
}

pub async fn take(
    world: &World,
    asker: DeviceActor,
    person: &Person,
    devices: &[&Device],
) -> Result<Vec<pb::PrekeyBundle>, Status> {
    let request = pb::TakePrekeyBundlesRequest {
        user: Some(person.pb_address()),
        device_ids: devices.iter().map(|device| device.actor.device.to_string()).collect(),
    };
    Ok(world.keys().take_prekey_bundles(by(asker, request)).await?.into_inner().bundles)
}

fn id_of(bytes: &[u8]) -> Option<u32> {
    (!bytes.is_empty()).then(|| SignedPrekey::from_bytes(bytes).unwrap().id())
}

fn role_of(bytes: &[u8]) -> PrekeyRole {
    SignedPrekey::from_bytes(bytes).unwrap().role()
}

on_both_databases! {
    async fn racing_callers_never_get_the_same_one_time_key(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let device = &ann.devices[0];
        let request = pb::PublishPrekeysRequest {
            one_time_prekeys: one_time(&world, device, PrekeyRole::OneTimeEc, 100..120),
            one_time_kem_prekeys: one_time(&world, device, PrekeyRole::OneTimeKem, 200..210),
            ..Default::default()
        };
        assert_eq!(publish(&world, device, request).await.unwrap(), (20, 10));
        let askers: Vec<DeviceActor> = (0..32).map(|_| some_device_of(&world, &ann)).collect();
        let devices = [device];
        let calls = askers.iter().map(|asker| take(&world, *asker, &ann, &devices));
        let outcomes = futures::future::join_all(calls).await;
        let bundles: Vec<pb::PrekeyBundle> =
            outcomes.into_iter().map(|outcome| outcome.unwrap().remove(0)).collect();
        let ec: Vec<u32> =
            bundles.iter().filter_map(|bundle| id_of(&bundle.one_time_prekey)).collect();
        assert_eq!(ec.len(), 20, "a key that was left was not handed out");
        assert_eq!(ec.iter().copied().collect::<BTreeSet<u32>>(), (100..120).collect());
        let kem: Vec<u32> = bundles
            .iter()
            .filter(|bundle| role_of(&bundle.kem_prekey) == PrekeyRole::OneTimeKem)
            .filter_map(|bundle| id_of(&bundle.kem_prekey))
            .collect();
        assert_eq!(kem.len(), 10);
        assert_eq!(kem.iter().copied().collect::<BTreeSet<u32>>(), (200..210).collect());
        let last_resort = bundles
            .iter()
            .filter(|bundle| role_of(&bundle.kem_prekey) == PrekeyRole::LastResortKem);
        assert_eq!(last_resort.count(), 22);
        assert!(bundles.iter().all(|bundle| {
            SignedPrekey::from_bytes(&bundle.signed_prekey)
                .unwrap()
                .verify(&device.certificate)
                .is_ok()
        }));
        let count = pb::CountPrekeysRequest {};
        let left = world.keys().count_prekeys(by(device.actor, count)).await.unwrap().into_inner();
        assert_eq!((left.one_time_prekey_count, left.one_time_kem_prekey_count), (0, 0));
    }

    async fn racing_for_the_last_keys_again_and_again_refuses_nobody(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let device = &ann.devices[0];
        for round in 0..8 {
            let ids = round * 10 + 1..round * 10 + 7;
            let request = pb::PublishPrekeysRequest {
                one_time_prekeys: one_time(&world, device, PrekeyRole::OneTimeEc, ids.clone()),
                one_time_kem_prekeys: one_time(&world, device, PrekeyRole::OneTimeKem, ids.clone()),
                ..Default::default()
            };
            publish(&world, device, request).await.unwrap();
            let askers: Vec<DeviceActor> = (0..16).map(|_| some_device_of(&world, &ann)).collect();
            let devices = [device];
            let calls = askers.iter().map(|asker| take(&world, *asker, &ann, &devices));
            let taken: Vec<u32> = futures::future::join_all(calls)
                .await
                .into_iter()
                .filter_map(|outcome| id_of(&outcome.unwrap()[0].one_time_prekey))
                .collect();
            assert_eq!(taken.len(), 6, "{taken:?}");
            assert_eq!(taken.into_iter().collect::<BTreeSet<u32>>(), ids.collect());
        }
    }

    async fn callers_that_ask_for_the_same_devices_in_any_order_all_get_through(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        ann.add_device(&world, false).await;
        for device in &ann.devices {
            let request = pb::PublishPrekeysRequest {
                one_time_prekeys: one_time(&world, device, PrekeyRole::OneTimeEc, 1..5),
                one_time_kem_prekeys: one_time(&world, device, PrekeyRole::OneTimeKem, 1..3),
                ..Default::default()
            };
            publish(&world, device, request).await.unwrap();
        }
        let [one, two] = [&ann.devices[0], &ann.devices[1]];
        let askers: Vec<DeviceActor> = (0..24).map(|_| some_device_of(&world, &ann)).collect();
        let calls = askers.iter().enumerate().map(|(index, asker)| {
            let order = if index % 2 == 0 { [one, two] } else { [two, one] };
            let (world, ann) = (&world, &ann);
            async move { (order, take(world, *asker, ann, &order).await.unwrap()) }
        });
        let answers = futures::future::join_all(calls).await;
        let mut seen = BTreeSet::new();
        for (order, bundles) in answers {
            for (device, bundle) in order.iter().zip(&bundles) {
                assert_eq!(bundle.device_id, device.actor.device.to_string());
                if let Some(id) = id_of(&bundle.one_time_prekey) {
                    assert!(seen.insert((bundle.device_id.clone(), id)), "handed out twice");
                }
            }
        }
        assert_eq!(seen.len(), 8);
    }

    async fn keys_are_handed_out_in_the_order_of_their_publication_and_stay_taken(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let device = &ann.devices[0];
        let first = pb::PublishPrekeysRequest {
            one_time_prekeys: one_time(&world, device, PrekeyRole::OneTimeEc, 50..53),
            ..Default::default()
        };
        let second = pb::PublishPrekeysRequest {
            one_time_prekeys: one_time(&world, device, PrekeyRole::OneTimeEc, 10..12),
            ..Default::default()
        };
        publish(&world, device, first.clone()).await.unwrap();
        publish(&world, device, second).await.unwrap();
        let asker = some_device_of(&world, &ann);
        let next = || async {
            id_of(&take(&world, asker, &ann, &[device]).await.unwrap()[0].one_time_prekey)
        };
        assert_eq!((next().await, next().await), (Some(50), Some(51)));
        // The answer of the first publication was lost and the device repeats it: what was handed
        // out does not come back, what is left is left as it is.
        assert_eq!(publish(&world, device, first).await.unwrap(), (3, 0));
        assert_eq!((next().await, next().await, next().await), (Some(52), Some(10), Some(11)));
        assert_eq!(next().await, None);
        let sql = "SELECT COUNT(*) FROM prekeys WHERE taken_at IS NOT NULL AND LENGTH(prekey) > 0";
        assert_eq!(world.count(sql, vec![]).await, 0);
    }

    async fn a_lasting_key_takes_the_place_of_the_one_before(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let device = &ann.devices[0];
        let request = pb::PublishPrekeysRequest {
            signed_prekey: device.prekey(&world.env, PrekeyRole::SignedEc, 7),
            last_resort_kem_prekey: device.prekey(&world.env, PrekeyRole::LastResortKem, 8),
            ..Default::default()
        };
        publish(&world, device, request).await.unwrap();
        let asker = some_device_of(&world, &ann);
        let bundle = take(&world, asker, &ann, &[device]).await.unwrap().remove(0);
        assert_eq!(id_of(&bundle.signed_prekey), Some(7));
        assert_eq!(id_of(&bundle.kem_prekey), Some(8));
        assert!(bundle.one_time_prekey.is_empty());
        let only_signed = pb::PublishPrekeysRequest {
            signed_prekey: device.prekey(&world.env, PrekeyRole::SignedEc, 9),
            ..Default::default()
        };
        publish(&world, device, only_signed).await.unwrap();
        let bundle = take(&world, asker, &ann, &[device]).await.unwrap().remove(0);
        assert_eq!((id_of(&bundle.signed_prekey), id_of(&bundle.kem_prekey)), (Some(9), Some(8)));
    }

    async fn a_key_that_its_device_did_not_sign_is_refused_and_none_is_added(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let other = ann.add_device(&world, false).await;
        let device = &ann.devices[0];
        let mut keys = one_time(&world, device, PrekeyRole::OneTimeEc, 1..4);
        keys.push(other.prekey(&world.env, PrekeyRole::OneTimeEc, 4));
        let request = pb::PublishPrekeysRequest { one_time_prekeys: keys, ..Default::default() };
        let outcome = publish(&world, device, request).await;
        assert_eq!(reason(outcome.clone()), ErrorReason::IdentityRefused);
        assert_eq!(metadata(outcome, "cause"), "prekey_wrong_device");

        let mut bytes = device.prekey(&world.env, PrekeyRole::OneTimeEc, 1).to_vec();
        // The id lies behind type, version, role and address: another id, the same signature.
        bytes[3 + 48 + 3] ^= 1;
        let request = pb::PublishPrekeysRequest {
            one_time_prekeys: vec![bytes.into()], ..Default::default()
        };
        let outcome = publish(&world, device, request).await;
        assert_eq!(metadata(outcome, "cause"), "prekey_bad_signature");

        let request = pb::PublishPrekeysRequest {
            one_time_prekeys: vec![
                device.prekey(&world.env, PrekeyRole::OneTimeEc, 1),
                device.prekey(&world.env, PrekeyRole::SignedEc, 2),
            ],
            ..Default::default()
        };
        let outcome = publish(&world, device, request).await;
        assert_eq!(outcome.as_ref().unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(metadata(outcome, "field"), "one_time_prekeys[1]");

        let request = pb::PublishPrekeysRequest {
            signed_prekey: device.prekey(&world.env, PrekeyRole::SignedEc, 3), ..Default::default()
        };
        let now = world.env.now();
        world.env.follow(now.plus(std::time::Duration::from_hours(8 * 24)));
        let outcome = publish(&world, device, request).await;
        assert_eq!(metadata(outcome, "cause"), "prekey_expired");
        world.env.follow(now);
        let sql = "SELECT COUNT(*) FROM prekeys WHERE role IN (2, 3)";
        assert_eq!(world.count(sql, vec![]).await, 0);
    }

    async fn a_device_has_two_hundred_one_time_keys_of_a_kind_at_most(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let device = &ann.devices[0];
        let batch = |ids| pb::PublishPrekeysRequest {
            one_time_prekeys: one_time(&world, device, PrekeyRole::OneTimeEc, ids),
            ..Default::default()
        };
        publish(&world, device, batch(0..100)).await.unwrap();
        let full = batch(100..200);
        assert_eq!(publish(&world, device, full.clone()).await.unwrap(), (200, 0));
        assert_eq!(publish(&world, device, full).await.unwrap(), (200, 0));
        let outcome = publish(&world, device, batch(200..201)).await;
        assert_eq!(reason(outcome), ErrorReason::LimitReached);
        let asker = some_device_of(&world, &ann);
        take(&world, asker, &ann, &[device]).await.unwrap();
        assert_eq!(publish(&world, device, batch(200..201)).await.unwrap(), (200, 0));
    }

    async fn one_asker_cannot_drain_a_device(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let device = &ann.devices[0];
        let asker = some_device_of(&world, &ann);
        for _ in 0..30 {
            take(&world, asker, &ann, &[device]).await.unwrap();
        }
        let outcome = take(&world, asker, &ann, &[device]).await;
        assert_eq!(reason(outcome), ErrorReason::RateLimited);
        take(&world, some_device_of(&world, &ann), &ann, &[device]).await.unwrap();
    }

    async fn a_strangers_keys_are_as_absent_as_nobodys(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let bob = Person::registered(&world, ann.user.0).await;
        let nobody = Person::new(&world, ann.user.0);
        let mut answers = Vec::new();
        for stranger in [&bob, &nobody] {
            let outcome = take(&world, ann.actor(), stranger, &[&stranger.devices[0]]).await;
            let status = outcome.unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
            answers.push((status.message().to_owned(), status.details().to_vec()));
        }
        assert_eq!(answers[0], answers[1]);
        // A device of one's own user that is another user's is no device.
        let outcome = take(&world, ann.actor(), &ann, &[&bob.devices[0]]).await;
        assert_eq!(reason(outcome), ErrorReason::NotFound);
    }
}
