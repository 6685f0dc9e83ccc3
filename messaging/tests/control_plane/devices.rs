//! The signed list of devices: who may begin it, who may add to it, who may read it.

use std::time::Duration;

use plasma_identity::{DeviceCertificate, Issuer, Manifest, RootPublicKey, verify_chain};
use plasma_kit::ids::UserId;
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tonic::{Code, Response};

use crate::on_both_databases;
use crate::person::{Key, Person, addition, tenant};
use crate::world::{World, by, enrolling, metadata, reason};

/// Verifies an account as a first-time viewer who knows the fingerprint.
pub fn verify(world: &World, person: &Person, account: &pb::AccountState) -> usize {
    let root = RootPublicKey::from_bytes(&account.root_public_key).unwrap();
    let manifests: Vec<Manifest> =
        account.manifests.iter().map(|bytes| Manifest::from_bytes(bytes).unwrap()).collect();
    let certificates: Vec<DeviceCertificate> = account
        .certificates
        .iter()
        .map(|bytes| DeviceCertificate::from_bytes(bytes).unwrap())
        .collect();
    let fingerprint = person.root_public_key().fingerprint(person.address());
    let now = u64::try_from(world.env.now().seconds()).unwrap();
    let address = person.address();
    verify_chain(address, Some(fingerprint), root, &manifests, &certificates, now)
        .unwrap()
        .devices()
        .len()
}

pub async fn account(world: &World, viewer: &Person, user: pb::UserAddress) -> pb::AccountState {
    let request = pb::GetAccountRequest { user: Some(user), after_epoch: 0 };
    let answer = world.devices().get_account(by(viewer.actor(), request)).await.unwrap();
    answer.into_inner().account.unwrap()
}

async fn rows(world: &World, person: &Person) -> (i64, i64, i64) {
    let user = || vec![person.user.1.0.into()];
    (
        world.count("SELECT COUNT(*) FROM accounts WHERE user_id = $1", user()).await,
        world.count("SELECT COUNT(*) FROM manifests WHERE user_id = $1", user()).await,
        world.count("SELECT COUNT(*) FROM devices WHERE user_id = $1", user()).await,
    )
}

on_both_databases! {
    async fn the_same_registration_answers_again_for_a_while_and_never_with_a_token(world: World) {
        let ann = Person::new(&world, tenant(&world));
        ann.register(&world).await.unwrap();
        let again = ann.register(&world).await.unwrap();
        assert_eq!((again.access_token.as_str(), again.expire_time), ("", None));
        assert_eq!(rows(&world, &ann).await, (1, 1, 1));
        // Another identity of the same user, with all its own signatures in order.
        let other = Person::of_user(&world, ann.user);
        assert_eq!(reason(other.register(&world).await), ErrorReason::UserHasDevices);
        assert_eq!(rows(&world, &ann).await, (1, 1, 1));
        // What the first registration sent is no secret; later it proves nothing.
        world.env.follow(world.env.now().plus(Duration::from_mins(16)));
        assert_eq!(reason(ann.register(&world).await), ErrorReason::UserHasDevices);
    }

    async fn of_racing_first_devices_one_is_registered(world: World) {
        let user = (tenant(&world), UserId(world.env.uuid()));
        let racers: Vec<Person> = (0..12).map(|_| Person::of_user(&world, user)).collect();
        let calls = racers.iter().map(|racer| racer.register(&world));
        let outcomes = futures::future::join_all(calls).await;
        let winners: Vec<usize> =
            (0..12).filter(|index| outcomes[*index].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{outcomes:?}");
        for outcome in outcomes.into_iter().filter(Result::is_err) {
            assert_eq!(reason(outcome), ErrorReason::UserHasDevices);
        }
        let winner = &racers[winners[0]];
        assert_eq!(rows(&world, winner).await, (1, 1, 1));
        let seen = account(&world, winner, winner.pb_address()).await;
        assert_eq!(verify(&world, winner, &seen), 1);
    }

    async fn a_registration_that_breaks_a_rule_is_refused_by_name_and_leaves_nothing(world: World) {
        let ann = Person::new(&world, tenant(&world));
        let eve = Person::new(&world, ann.user.0);
        let good = ann.registration(&world);
        let theirs = eve.registration(&world);
        let other_root = pb::RegisterFirstDeviceRequest {
            root_public_key: theirs.root_public_key.clone(), ..good.clone()
        };
        let other_certificate = pb::RegisterFirstDeviceRequest {
            certificate: theirs.certificate.clone(), ..good.clone()
        };
        let other_prekeys =
            pb::RegisterFirstDeviceRequest { prekeys: theirs.prekeys.clone(), ..good.clone() };
        let mut bytes = good.manifest.to_vec();
        let signature = bytes.len() - 64;
        // Another valid pair of scalars, and no signature of these bytes.
        bytes[signature..].copy_from_slice(&theirs.manifest[theirs.manifest.len() - 64..]);
        let forged = pb::RegisterFirstDeviceRequest { manifest: bytes.into(), ..good.clone() };
        let cases = [
            (theirs.clone(), "wrong_user"),
            (other_root, "wrong_root"),
            (other_certificate, "uncertified_device"),
            (other_prekeys, "prekey_wrong_device"),
            (forged, "bad_manifest_signature"),
        ];
        for (request, cause) in cases {
            let request = enrolling(ann.user, request);
            let outcome = world.devices().register_first_device(request).await;
            let outcome = outcome.map(Response::into_inner);
            assert_eq!(reason(outcome.clone()), ErrorReason::IdentityRefused, "{cause}");
            assert_eq!(metadata(outcome, "cause"), cause);
        }
        let junk = |bytes: usize| bytes::Bytes::from(vec![9; bytes]);
        let prekeys = good.prekeys.clone().unwrap();
        let swapped = pb::DevicePrekeys {
            signed_prekey: prekeys.signed_prekey.clone(),
            last_resort_kem_prekey: prekeys.signed_prekey,
        };
        let undecodable = [
            ("root_public_key", pb::RegisterFirstDeviceRequest {
                root_public_key: junk(65), ..good.clone()
            }),
            ("certificate", pb::RegisterFirstDeviceRequest { certificate: junk(300), ..good.clone() }),
            ("manifest", pb::RegisterFirstDeviceRequest { manifest: junk(300), ..good.clone() }),
            ("prekeys.last_resort_kem_prekey", pb::RegisterFirstDeviceRequest {
                prekeys: Some(swapped), ..good.clone()
            }),
        ];
        for (field, request) in undecodable {
            let request = enrolling(ann.user, request);
            let outcome = world.devices().register_first_device(request).await;
            assert_eq!(outcome.as_ref().unwrap_err().code(), Code::InvalidArgument, "{field}");
            assert_eq!(metadata(outcome, "field"), field);
        }
        assert_eq!(rows(&world, &ann).await, (0, 0, 0));
        world.devices().register_first_device(enrolling(ann.user, good)).await.unwrap();
    }

    async fn an_approver_adds_a_device_that_every_viewer_can_verify(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let before = world.messaging.directory().device_set(ann.user.0, ann.user.1).await.unwrap();
        assert_eq!(before.devices, [ann.actor().device]);
        let device = ann.certify(&world, false);
        let manifest = ann.successor(&world, &[&device], ann.approver());
        let request = addition(&world, &device, &manifest);
        let actor = ann.actor();
        let first = world.devices().add_device(by(actor, request.clone())).await.unwrap();
        let again = world.devices().add_device(by(actor, request)).await.unwrap();
        let (first, again) = (first.into_inner(), again.into_inner());
        assert_eq!(first, again);
        assert_eq!(verify(&world, &ann, &first.account.unwrap()), 2);
        ann.devices.push(device);
        ann.manifest = manifest;
        crate::world::eventually(|| async {
            let set = world.messaging.directory().device_set(ann.user.0, ann.user.1).await.unwrap();
            set.devices.len() == 2 && set.epoch == 2 && set.manifest_hash == ann.manifest.hash().0
        })
        .await;
        let set = world.messaging.directory().device_set(ann.user.0, ann.user.1).await.unwrap();
        assert!(set.devices.is_sorted());
        // A viewer that knows the first manifest needs the later ones only, and one that claims to
        // know more than there is still gets the one in force.
        for (after_epoch, expected) in [(0, 2), (2, 1), (u64::MAX, 1)] {
            let request = pb::GetAccountRequest { user: Some(ann.pb_address()), after_epoch };
            let answer = world.devices().get_account(by(actor, request)).await.unwrap();
            assert_eq!(answer.into_inner().account.unwrap().manifests.len(), expected);
        }
    }

    async fn of_racing_successors_one_is_in_force(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let requests: Vec<pb::AddDeviceRequest> = (0..8)
            .map(|_| {
                let device = ann.certify(&world, false);
                let manifest = ann.successor(&world, &[&device], ann.approver());
                addition(&world, &device, &manifest)
            })
            .collect();
        let calls = requests.into_iter().map(|request| {
            let mut devices = world.devices();
            let request = by(ann.actor(), request);
            async move { devices.add_device(request).await }
        });
        let outcomes = futures::future::join_all(calls).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for outcome in outcomes.into_iter().filter(Result::is_err) {
            assert_eq!(reason(outcome), ErrorReason::ManifestConflict);
        }
        assert_eq!(rows(&world, &ann).await, (1, 2, 2));
        let seen = account(&world, &ann, ann.pb_address()).await;
        assert_eq!(verify(&world, &ann, &seen), 2);
    }

    async fn a_device_that_the_caller_did_not_certify_is_refused(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let reader = ann.add_device(&world, false).await;
        let approver = ann.add_device(&world, true).await;
        let eve = Key::generate(&world.env);
        let (ghost, other) = (ann.certify(&world, false), ann.certify(&world, false));
        let first = ann.approver();
        let by_reader = (Issuer::Device(reader.actor.device.0), &reader.key);
        let by_root = (Issuer::Root, &ann.root);
        let bob = Person::registered(&world, ann.user.0).await;
        let theirs = bob.certify(&world, false);
        let cases = [
            // A key that is not the approver's signs in the approver's name.
            (ann.actor(), &ghost, ann.successor(&world, &[&ghost], (first.0, &eve)),
                "bad_manifest_signature"),
            // The manifest lists a device that nobody brought a certificate of.
            (ann.actor(), &other, ann.successor(&world, &[&ghost], first), "uncertified_device"),
            (ann.actor(), &ghost, ann.successor(&world, &[&ghost, &other], first),
                "uncertified_device"),
            // The certificate is good and the manifest does not list it.
            (ann.actor(), &ghost, ann.successor(&world, &[], first), "not_one_addition"),
            (ann.actor(), &theirs, ann.successor(&world, &[&theirs], first), "not_signed_by_caller"),
            // A device that may not approve, and an approver that did not sign.
            (reader.actor, &ghost, ann.successor(&world, &[&ghost], by_reader),
                "caller_not_approver"),
            (approver.actor, &ghost, ann.successor(&world, &[&ghost], first),
                "not_signed_by_caller"),
            (ann.actor(), &ghost, ann.successor(&world, &[&ghost], by_root), "not_signed_by_caller"),
        ];
        for (caller, device, manifest, cause) in cases {
            let request = by(caller, addition(&world, device, &manifest));
            let outcome = world.devices().add_device(request).await.map(Response::into_inner);
            assert_eq!(reason(outcome.clone()), ErrorReason::IdentityRefused, "{cause}");
            assert_eq!(metadata(outcome, "cause"), cause);
        }
        let stale = ann.successor(&world, &[&ghost], first);
        assert_eq!(rows(&world, &ann).await, (1, 3, 3));
        ann.add_device(&world, false).await;
        let request = by(ann.actor(), addition(&world, &ghost, &stale));
        let outcome = world.devices().add_device(request).await;
        assert_eq!(reason(outcome), ErrorReason::ManifestConflict);
    }

    async fn an_account_has_ten_devices_at_most(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        for _ in 1..10 {
            ann.add_device(&world, false).await;
        }
        let last = ann.devices.last().unwrap().clone();
        // The one that was added last may still be repeated.
        let request = by(ann.actor(), addition(&world, &last, &ann.manifest));
        world.devices().add_device(request).await.unwrap();
        let eleventh = ann.certify(&world, false);
        let request = by(ann.actor(), addition(&world, &eleventh, &ann.manifest));
        let outcome = world.devices().add_device(request).await.map(Response::into_inner);
        assert_eq!(reason(outcome.clone()), ErrorReason::LimitReached);
        assert_eq!(metadata(outcome, "limit"), "devices");
    }

    async fn a_strangers_account_is_as_absent_as_nobodys(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let bob = Person::registered(&world, ann.user.0).await;
        let cat = Person::registered(&world, tenant(&world)).await;
        let nobody = Person::new(&world, ann.user.0);
        let mut answers = Vec::new();
        for stranger in [&bob, &cat, &nobody] {
            let request =
                pb::GetAccountRequest { user: Some(stranger.pb_address()), after_epoch: 0 };
            let status = world.devices().get_account(by(ann.actor(), request)).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
            answers.push((status.message().to_owned(), status.details().to_vec()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
        let own = account(&world, &ann, ann.pb_address()).await;
        assert_eq!(verify(&world, &ann, &own), 1);
    }
}
