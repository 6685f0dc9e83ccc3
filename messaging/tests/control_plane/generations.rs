//! The root speaks: whoever lost every device comes back, and a stolen approver is cut off.

use plasma_identity::{Issuer, Manifest};
use plasma_kit::actor::Actor;
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tonic::{Code, Response};

use crate::devices::{account, verify};
use crate::on_both_databases;
use crate::person::{Device, Person, tenant};
use crate::revocation::is_gone;
use crate::world::{World, by, enrolling, metadata, reason};

fn generation(
    world: &World,
    manifest: &Manifest,
    new: Option<&Device>,
) -> pb::StartGenerationRequest {
    pb::StartGenerationRequest {
        manifest: manifest.to_bytes().into(),
        new_device: new.map(|device| pb::RecoveredDevice {
            certificate: device.certificate.to_bytes().into(),
            prekeys: Some(device.prekeys(&world.env)),
        }),
    }
}

on_both_databases! {
    async fn whoever_lost_every_device_comes_back_by_the_root(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        ann.add_device(&world, true).await;
        let lost = ann.devices.clone();
        let new = ann.certify_by_root(&world);
        let manifest = ann.generation(&world, &[&new], ann.by_root());
        let request = generation(&world, &manifest, Some(&new));
        let call = async || {
            let request = enrolling(ann.user, request.clone());
            world.devices().start_generation(request).await.map(Response::into_inner)
        };
        let answer = call().await.unwrap();
        let sessions = world.messaging.sessions();
        let actor = sessions.authenticate(&answer.access_token).await.unwrap();
        assert_eq!(actor, Actor::Device(new.actor));
        assert_eq!(verify(&world, &ann, answer.account.as_ref().unwrap()), 1);
        let back = Person { devices: vec![new.clone()], ..ann.clone() };
        crate::world::eventually(|| async {
            let set = world.messaging.directory().device_set(ann.user.0, ann.user.1).await.unwrap();
            set.devices == [new.actor.device]
        })
        .await;
        for device in &lost {
            is_gone(&world, &back, device).await;
        }
        // The same again answers again. It proves nothing, and gives no token to anybody.
        let again = call().await.unwrap();
        assert_eq!(again.account, answer.account);
        assert_eq!((again.access_token.as_str(), again.expire_time), ("", None));
        let by_device = by(new.actor, request.clone());
        let by_device = world.devices().start_generation(by_device).await.unwrap().into_inner();
        assert_eq!((by_device.access_token.as_str(), by_device.expire_time), ("", None));
    }

    async fn the_root_cuts_off_an_approver_whoever_hands_it_in(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let (reader, stolen) =
            (ann.add_device(&world, false).await, ann.add_device(&world, true).await);
        let first = ann.devices[0].clone();
        let manifest = ann.generation(&world, &[&first, &reader], ann.by_root());
        // A device that may not approve hands it in.
        let request = by(reader.actor, generation(&world, &manifest, None));
        let answer = world.devices().start_generation(request).await.unwrap().into_inner();
        assert_eq!((answer.access_token.as_str(), answer.expire_time), ("", None));
        assert_eq!(verify(&world, &ann, &answer.account.unwrap()), 2);
        is_gone(&world, &ann, &stolen).await;
        // Whatever the stolen one signed on top of the list before is late.
        let late = ann.without(&world, &[&first], ann.approver());
        let late = pb::RevokeDeviceRequest { manifest: late.to_bytes().into() };
        let outcome = world.devices().revoke_device(by(ann.actor(), late)).await;
        assert_eq!(reason(outcome), ErrorReason::ManifestConflict);
        // A caller that is not listed goes as the others do.
        ann.manifest = manifest;
        let manifest = ann.generation(&world, &[&first], ann.by_root());
        let request = by(reader.actor, generation(&world, &manifest, None));
        world.devices().start_generation(request).await.unwrap();
        is_gone(&world, &ann, &reader).await;
    }

    async fn a_generation_that_the_root_did_not_sign_whole_is_refused(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let gone = ann.add_device(&world, false).await;
        let manifest = ann.without(&world, &[&gone], ann.approver());
        let request = pb::RevokeDeviceRequest { manifest: manifest.to_bytes().into() };
        world.devices().revoke_device(by(ann.actor(), request)).await.unwrap();
        ann.manifest = manifest;
        let (first, root) = (ann.devices[0].clone(), ann.by_root());
        let (new, other, approved) =
            (ann.certify_by_root(&world), ann.certify_by_root(&world), ann.certify(&world, true));
        let eve = crate::person::Key::generate(&world.env);
        let bob = Person::registered(&world, ann.user.0).await;
        let by_first = ann.approver();
        let listing = |devices: &[&Device], signer| ann.generation(&world, devices, signer);
        let cases = [
            // An approver in the root's place, in this generation and in the next one.
            (ann.without(&world, &[], by_first), None, "not_signed_by_root"),
            (listing(&[&first], by_first), None, "not_signed_by_root"),
            (listing(&[&first], (Issuer::Root, &first.key)), None, "bad_manifest_signature"),
            (listing(&[&first], (Issuer::Root, &eve)), None, "bad_manifest_signature"),
            // The root within a generation.
            (ann.without(&world, &[], root), None, "unauthorised_generation"),
            (listing(&[&first, &approved], root), Some(&approved), "not_signed_by_root"),
            (listing(&[&first], root), Some(&new), "new_device_not_listed"),
            (listing(&[&new, &other], root), Some(&new), "uncertified_device"),
            (listing(&[&first, &new], root), None, "uncertified_device"),
            (listing(&[&first, &gone], root), None, "uncertified_device"),
        ];
        for (manifest, new, cause) in cases {
            for caller in [None, Some(first.actor)] {
                if caller.is_none() && new.is_none() {
                    continue;
                }
                let request = generation(&world, &manifest, new);
                let request = match caller {
                    None => enrolling(ann.user, request),
                    Some(device) => by(device, request),
                };
                let outcome = world.devices().start_generation(request).await;
                let outcome = outcome.map(Response::into_inner);
                assert_eq!(reason(outcome.clone()), ErrorReason::IdentityRefused, "{cause}");
                assert_eq!(metadata(outcome, "cause"), cause);
            }
        }
        let good = listing(&[&new], root);
        // Somebody else's word for it, and nobody's.
        let theirs = enrolling(bob.user, generation(&world, &good, Some(&new)));
        let outcome = world.devices().start_generation(theirs).await;
        assert_eq!(reason(outcome), ErrorReason::ManifestConflict);
        let nobody = Person::new(&world, ann.user.0);
        let theirs = enrolling(nobody.user, generation(&world, &good, Some(&new)));
        let outcome = world.devices().start_generation(theirs).await;
        assert_eq!(outcome.unwrap_err().code(), Code::NotFound);
        let deviceless = enrolling(ann.user, generation(&world, &good, None));
        let outcome = world.devices().start_generation(deviceless).await;
        assert_eq!(metadata(outcome, "field"), "new_device");
        let mut swapped = generation(&world, &good, Some(&new));
        swapped.new_device.as_mut().unwrap().prekeys = Some(other.prekeys(&world.env));
        let outcome = world.devices().start_generation(enrolling(ann.user, swapped)).await;
        assert_eq!(metadata(outcome, "cause"), "prekey_wrong_device");
        let seen = account(&world, &ann, ann.pb_address()).await;
        assert_eq!(verify(&world, &ann, &seen), 1);
        // What was refused was refused for its one fault.
        let request = enrolling(ann.user, generation(&world, &good, Some(&new)));
        world.devices().start_generation(request).await.unwrap();
    }

    async fn of_the_root_and_an_approver_at_once_one_wins(world: World) {
        for _ in 0..4 {
            let mut ann = Person::registered(&world, tenant(&world)).await;
            let reader = ann.add_device(&world, false).await;
            let new = ann.certify_by_root(&world);
            let by_root = ann.generation(&world, &[&new], ann.by_root());
            let by_first = ann.without(&world, &[&reader], ann.approver());
            let request = pb::RevokeDeviceRequest { manifest: by_first.to_bytes().into() };
            let (mut one, mut two) = (world.devices(), world.devices());
            let started = generation(&world, &by_root, Some(&new));
            let (started, revoked) = tokio::join!(
                one.start_generation(enrolling(ann.user, started)),
                two.revoke_device(by(ann.actor(), request)),
            );
            assert!(started.is_ok() != revoked.is_ok(), "{started:?} {revoked:?}");
            let sql = "SELECT COUNT(*) FROM devices WHERE user_id = $1 AND state = 1";
            assert_eq!(world.count(sql, vec![ann.user.1.0.into()]).await, 1);
        }
    }

    async fn a_user_being_enrolled_sees_its_own_account_alone(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let bob = Person::registered(&world, ann.user.0).await;
        let cat = Person::registered(&world, tenant(&world)).await;
        let nobody = Person::new(&world, ann.user.0);
        let ask = async |who: &Person, whose: &Person| {
            let request = pb::GetAccountRequest { user: Some(whose.pb_address()), after_epoch: 0 };
            world.devices().get_account(enrolling(who.user, request)).await
        };
        let own = ask(&ann, &ann).await.unwrap().into_inner().account.unwrap();
        assert_eq!(verify(&world, &ann, &own), 1);
        let mut answers = Vec::new();
        for (who, whose) in [(&ann, &bob), (&ann, &cat), (&ann, &nobody), (&nobody, &nobody)] {
            let status = ask(who, whose).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
            answers.push((status.message().to_owned(), status.details().to_vec()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
    }
}
