//! A device is removed: by whom, and what is left of it.

use std::time::Duration;

use plasma_identity::PrekeyRole;
use plasma_kit::ids::DeviceId;
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tonic::{Code, Response, Status};

use crate::devices::{account, verify};
use crate::keys::{one_time, publish, take};
use crate::on_both_databases;
use crate::person::{Device, Person, addition, tenant};
use crate::sessions::sign_in;
use crate::world::{World, by, eventually, metadata, reason};

/// The request that puts a manifest in force.
fn removal(manifest: &plasma_identity::Manifest) -> pb::RevokeDeviceRequest {
    pb::RevokeDeviceRequest { manifest: manifest.to_bytes().into() }
}

fn renewal(manifest: &plasma_identity::Manifest) -> pb::RenewManifestRequest {
    pb::RenewManifestRequest { manifest: manifest.to_bytes().into() }
}

async fn revoke(world: &World, ann: &mut Person, device: &Device) -> pb::AccountState {
    let manifest = ann.without(world, &[device], ann.approver());
    let answer = world.devices().revoke_device(by(ann.actor(), removal(&manifest))).await.unwrap();
    ann.manifest = manifest;
    ann.devices.retain(|other| other.actor != device.actor);
    answer.into_inner().account.unwrap()
}

/// Puts an envelope into a device's queue.
pub async fn enqueue(world: &World, device: DeviceId, person: &Person) {
    let sql = "INSERT INTO envelopes (tenant_id, device_id, envelope_id, chat_id, message_id, \
               sender_tenant_id, sender_user_id, sender_device_id, ciphertext, ciphertext_bytes, \
               accepted_at, stored_at) VALUES ($1, $2, $3, $3, $3, $1, $3, $3, $4, 3, $5, $5)";
    let now = world.env.now().0;
    let values = vec![
        person.user.0.0.into(),
        device.0.into(),
        world.env.uuid().into(),
        vec![1_u8, 2, 3].into(),
        now.into(),
    ];
    assert_eq!(world.execute(person.user.0, sql, values).await, 1);
}

/// How many rows of a table belong to a device.
pub async fn rows_of(world: &World, table: &str, device: DeviceId) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM {table} WHERE device_id = $1");
    world.count(&sql, vec![device.0.into()]).await
}

/// Checks that nothing reaches or serves a device any more.
pub async fn is_gone(world: &World, ann: &Person, gone: &Device) {
    assert_eq!(rows_of(world, "envelopes", gone.actor.device).await, 0);
    assert_eq!(rows_of(world, "prekeys", gone.actor.device).await, 0);
    assert_eq!(rows_of(world, "devices", gone.actor.device).await, 1);
    let sql = "SELECT COUNT(*) FROM revocations WHERE subject_id = $1 AND kind = 4";
    assert_eq!(world.count(sql, vec![gone.actor.device.0.into()]).await, 1);
    let set = world.messaging.directory().device_set(ann.user.0, ann.user.1).await.unwrap();
    assert!(!set.devices.contains(&gone.actor.device));
    assert_eq!(reason(sign_in(world, gone).await), ErrorReason::Unauthenticated);
    let bundles = take(world, ann.actor(), ann, &[gone]).await;
    assert_eq!(bundles.unwrap_err().code(), Code::NotFound);
    // As whoever slipped through authentication in the moment of the removal.
    let keys = one_time(world, gone, PrekeyRole::OneTimeEc, 300..301);
    let keys = pb::PublishPrekeysRequest { one_time_prekeys: keys, ..Default::default() };
    assert_eq!(publish(world, gone, keys).await.unwrap_err().code(), Code::NotFound);
    let pull = pb::PullRequest { page_size: 1, wait: None };
    let pulled = world.messages().pull(by(gone.actor, pull)).await;
    assert_eq!(reason(pulled.map(Response::into_inner)), ErrorReason::Unauthenticated);
    let opened = world.messages().receive(by(gone.actor, pb::ReceiveRequest {})).await;
    assert_eq!(opened.map(drop).unwrap_err().code(), Code::Unauthenticated);
    let acknowledged = vec![plasma_kit::ids::EnvelopeId(world.env.uuid()).to_string()];
    let acknowledge = pb::AcknowledgeRequest { envelope_ids: acknowledged };
    let _: Result<_, Status> = world.messages().acknowledge(by(gone.actor, acknowledge)).await;
    assert_eq!(rows_of(world, "prekeys", gone.actor.device).await, 0);
}

on_both_databases! {
    async fn nothing_reaches_a_removed_device_and_its_id_never_comes_back(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let gone = ann.add_device(&world, true).await;
        let stays = ann.add_device(&world, false).await;
        for device in [&gone, &stays] {
            let keys = pb::PublishPrekeysRequest {
                one_time_prekeys: one_time(&world, device, PrekeyRole::OneTimeEc, 10..13),
                one_time_kem_prekeys: one_time(&world, device, PrekeyRole::OneTimeKem, 10..13),
                ..Default::default()
            };
            publish(&world, device, keys).await.unwrap();
            enqueue(&world, device.actor.device, &ann).await;
        }
        let token = sign_in(&world, &gone).await.unwrap();
        world.messaging.sessions().authenticate(&token).await.unwrap();
        let manifest = ann.without(&world, &[&gone], ann.approver());
        let seen = revoke(&world, &mut ann, &gone).await;
        // The viewer needs the certificate of the device that is gone to follow the chain.
        assert_eq!(seen.certificates.len(), 3);
        assert_eq!(verify(&world, &ann, &seen), 2);
        eventually(|| async {
            world.messaging.sessions().authenticate(&token).await.is_err()
                && world.messaging.directory().device_set(ann.user.0, ann.user.1).await.unwrap()
                    .devices.len() == 2
        })
        .await;
        is_gone(&world, &ann, &gone).await;
        assert_eq!(rows_of(&world, "envelopes", stays.actor.device).await, 1);
        assert_eq!(rows_of(&world, "prekeys", stays.actor.device).await, 8);
        // The same again changes nothing.
        let again = world.devices().revoke_device(by(ann.actor(), removal(&manifest))).await;
        assert_eq!(again.unwrap().into_inner().account.unwrap(), seen);
        let back = ann.successor(&world, &[&gone], ann.approver());
        let request = by(ann.actor(), addition(&world, &gone, &back));
        let outcome = world.devices().add_device(request).await.map(Response::into_inner);
        assert_eq!(metadata(outcome, "cause"), "device_id_taken");
        is_gone(&world, &ann, &gone).await;
    }

    async fn a_bundle_of_a_device_that_went_a_moment_ago_takes_nothing_of_the_others(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let (stays, gone) = (ann.add_device(&world, false).await, ann.add_device(&world, false).await);
        let keys = pb::PublishPrekeysRequest {
            one_time_prekeys: one_time(&world, &stays, PrekeyRole::OneTimeEc, 10..13),
            ..Default::default()
        };
        publish(&world, &stays, keys).await.unwrap();
        // Another node removed it: this one's device set is a second old at most.
        let purge = async || {
            world.messaging.directory().device_set(ann.user.0, ann.user.1).await.unwrap();
            let sql = "DELETE FROM prekeys WHERE device_id = $1";
            world.execute(ann.user.0, sql, vec![gone.actor.device.0.into()]).await;
            take(&world, ann.actor(), &ann, &[&stays, &gone]).await
        };
        assert_eq!(purge().await.unwrap_err().code(), Code::NotFound);
        assert_eq!(take(&world, ann.actor(), &ann, &[&stays]).await.unwrap().len(), 1);
        let sql = "SELECT COUNT(*) FROM prekeys WHERE device_id = $1 AND taken_at IS NOT NULL";
        assert_eq!(world.count(sql, vec![stays.actor.device.0.into()]).await, 1);
    }

    async fn what_was_stored_for_a_device_while_it_was_removed_is_swept(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let (gone, stays) = (ann.add_device(&world, false).await, ann.add_device(&world, false).await);
        revoke(&world, &mut ann, &gone).await;
        enqueue(&world, gone.actor.device, &ann).await;
        enqueue(&world, stays.actor.device, &ann).await;
        world.messaging.prune().await.unwrap();
        assert_eq!(rows_of(&world, "envelopes", gone.actor.device).await, 0);
        assert_eq!(rows_of(&world, "envelopes", stays.actor.device).await, 1);
    }

    async fn the_stream_of_a_removed_device_ends_and_the_others_go_on(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let gone = ann.add_device(&world, false).await;
        let open = async |device: &Device| {
            let answer = world.messages().receive(by(device.actor, pb::ReceiveRequest {})).await;
            let mut stream = answer.unwrap().into_inner();
            // Hello and an empty queue.
            stream.message().await.unwrap().unwrap();
            stream.message().await.unwrap().unwrap();
            stream
        };
        let (mut ends, mut goes_on) = (open(&gone).await, open(&ann.devices[0].clone()).await);
        revoke(&world, &mut ann, &gone).await;
        let end = tokio::time::timeout(Duration::from_secs(5), ends.message()).await.unwrap();
        assert_eq!(end.unwrap_err().code(), Code::Unauthenticated);
        let next = tokio::time::timeout(Duration::from_millis(300), goes_on.message()).await;
        assert!(next.is_err(), "{next:?}");
    }

    async fn an_approver_may_remove_itself_where_another_stays(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let first = ann.devices[0].clone();
        let alone = ann.without(&world, &[], ann.approver());
        let reader = ann.add_device(&world, false).await;
        let nobody = ann.without(&world, &[&first], ann.approver());
        let outcome = world.devices().revoke_device(by(ann.actor(), removal(&nobody))).await;
        assert_eq!(metadata(outcome, "cause"), "no_approver");
        ann.add_device(&world, true).await;
        let second = ann.devices[2].clone();
        let manifest = ann.without(&world, &[&first], ann.approver());
        world.devices().revoke_device(by(ann.actor(), removal(&manifest))).await.unwrap();
        is_gone(&world, &Person { devices: vec![second, reader], ..ann.clone() }, &first).await;
        drop(alone);
    }

    async fn what_is_not_exactly_one_removal_by_the_caller_is_refused(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let reader = ann.add_device(&world, false).await;
        let approver = ann.add_device(&world, true).await;
        let (ghost, first) = (ann.certify(&world, false), ann.approver());
        let by_reader =
            (plasma_identity::Issuer::Device(reader.actor.device.0), &reader.key);
        let eve = crate::person::Key::generate(&world.env);
        let bob = Person::registered(&world, ann.user.0).await;
        let cases = [
            (reader.actor, ann.without(&world, &[&approver], by_reader), "caller_not_approver"),
            (approver.actor, ann.without(&world, &[&reader], first), "not_signed_by_caller"),
            (ann.actor(), ann.without(&world, &[&reader], ann.by_root()), "not_signed_by_caller"),
            (ann.actor(), ann.without(&world, &[&reader], (first.0, &eve)),
                "bad_manifest_signature"),
            (ann.actor(), ann.without(&world, &[&reader, &approver], first), "not_one_removal"),
            (ann.actor(), ann.without(&world, &[], first), "not_one_removal"),
            (ann.actor(), ann.successor(&world, &[&ghost], first), "uncertified_device"),
            (ann.actor(), ann.generation(&world, &[&ann.devices[0], &reader], first),
                "unauthorised_generation"),
        ];
        for (caller, manifest, cause) in cases {
            let outcome = world.devices().revoke_device(by(caller, removal(&manifest))).await;
            let outcome = outcome.map(Response::into_inner);
            assert_eq!(reason(outcome.clone()), ErrorReason::IdentityRefused, "{cause}");
            assert_eq!(metadata(outcome, "cause"), cause);
        }
        // A renewal removes and adds nobody.
        let others = [ann.without(&world, &[&reader], first), ann.successor(&world, &[&ghost], first)];
        for (manifest, cause) in others.iter().zip(["not_the_same_devices", "uncertified_device"]) {
            let outcome = world.devices().renew_manifest(by(ann.actor(), renewal(manifest))).await;
            assert_eq!(metadata(outcome, "cause"), cause);
        }
        let theirs = bob.without(&world, &[], bob.approver());
        let outcome = world.devices().renew_manifest(by(ann.actor(), renewal(&theirs))).await;
        assert_eq!(reason(outcome), ErrorReason::ManifestConflict);
        let seen = account(&world, &ann, ann.pb_address()).await;
        assert_eq!(verify(&world, &ann, &seen), 3);
        assert_eq!(world.count("SELECT COUNT(*) FROM revocations", vec![]).await, 0);
    }

    async fn a_renewal_changes_the_date_alone(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        ann.add_device(&world, false).await;
        world.wait(Duration::from_hours(24));
        let manifest = ann.without(&world, &[], ann.approver());
        let first = world.devices().renew_manifest(by(ann.actor(), renewal(&manifest))).await;
        let again = world.devices().renew_manifest(by(ann.actor(), renewal(&manifest))).await;
        let first = first.unwrap().into_inner().account.unwrap();
        assert_eq!(again.unwrap().into_inner().account.unwrap(), first);
        assert_eq!(first.manifests.last().unwrap(), &manifest.to_bytes());
        assert_eq!(verify(&world, &ann, &first), 2);
        assert_eq!(world.count("SELECT COUNT(*) FROM revocations", vec![]).await, 0);
        let stale = world.devices().renew_manifest(by(ann.actor(), renewal(&ann.manifest))).await;
        assert_eq!(reason(stale), ErrorReason::ManifestConflict);
    }

    async fn of_two_approvers_that_change_the_list_at_once_one_wins(world: World) {
        for _ in 0..4 {
            let mut ann = Person::registered(&world, tenant(&world)).await;
            let (reader, second) =
                (ann.add_device(&world, false).await, ann.add_device(&world, true).await);
            let by_second =
                (plasma_identity::Issuer::Device(second.actor.device.0), &second.key);
            let gone = ann.without(&world, &[&reader], ann.approver());
            let renewed = ann.without(&world, &[], by_second);
            let without_first = ann.without(&world, &[&ann.devices[0]], by_second);
            let new = ann.certify(&world, false);
            let more = ann.successor(&world, &[&new], ann.approver());
            let mut clients = [world.devices(), world.devices(), world.devices(), world.devices()];
            let [one, two, three, four] = &mut clients;
            let outcomes = tokio::join!(
                async { one.revoke_device(by(ann.actor(), removal(&gone))).await.map(drop) },
                async { two.renew_manifest(by(second.actor, renewal(&renewed))).await.map(drop) },
                async {
                    three.revoke_device(by(second.actor, removal(&without_first))).await.map(drop)
                },
                async {
                    let request = addition(&world, &new, &more);
                    four.add_device(by(ann.actor(), request)).await.map(drop)
                },
            );
            let outcomes = [outcomes.0, outcomes.1, outcomes.2, outcomes.3];
            assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
            let won = outcomes.iter().position(Result::is_ok).unwrap();
            for (place, outcome) in outcomes.into_iter().enumerate().filter(|(_, it)| it.is_err()) {
                // A caller that the winner removed before its own look is no approver any more.
                let lost = reason(outcome);
                let expected = lost == ErrorReason::ManifestConflict
                    || (won == 2 && lost == ErrorReason::IdentityRefused);
                assert!(expected, "{place}: {lost:?}");
            }
            let expected = [2, 3, 2, 4][won];
            let seen = account(&world, &Person { devices: vec![second], ..ann.clone() },
                ann.pb_address()).await;
            assert_eq!(verify(&world, &ann, &seen), expected);
            let sql = "SELECT COUNT(*) FROM devices WHERE user_id = $1 AND state = 1";
            let active = world.count(sql, vec![ann.user.1.0.into()]).await;
            assert_eq!(usize::try_from(active).unwrap(), expected);
        }
    }
}
