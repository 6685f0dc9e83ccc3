//! Recovery kits: kept for their user, signed by the root alone.

use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tonic::{Code, Response, Status};

use crate::on_both_databases;
use crate::person::{Person, tenant};
use crate::world::{World, by, enrolling, metadata, reason};

pub async fn set(
    world: &World,
    person: &Person,
    kit: &plasma_identity::RecoveryKit,
) -> Result<(), Status> {
    let request = pb::SetRecoveryKitRequest { recovery_kit: kit.to_bytes().into() };
    world.devices().set_recovery_kit(by(person.actor(), request)).await.map(drop)
}

/// The kit as a person without a device gets it.
pub async fn get(world: &World, person: &Person) -> Result<bytes::Bytes, Status> {
    let request = enrolling(person.user, pb::GetRecoveryKitRequest {});
    Ok(world.devices().get_recovery_kit(request).await?.into_inner().recovery_kit)
}

on_both_databases! {
    async fn the_last_kit_is_kept_for_its_user(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let bob = Person::registered(&world, ann.user.0).await;
        let nobody = Person::new(&world, ann.user.0);
        assert_eq!(get(&world, &ann).await.unwrap_err().code(), Code::NotFound);
        let (first, second) = (ann.kit(&world, &ann.root), ann.kit(&world, &ann.root));
        for kit in [&first, &second, &second] {
            set(&world, &ann, kit).await.unwrap();
            assert_eq!(get(&world, &ann).await.unwrap(), kit.to_bytes());
        }
        let own = by(ann.actor(), pb::GetRecoveryKitRequest {});
        let own = world.devices().get_recovery_kit(own).await.unwrap().into_inner();
        assert_eq!(own.recovery_kit, second.to_bytes());
        for other in [&bob, &nobody] {
            assert_eq!(get(&world, other).await.unwrap_err().code(), Code::NotFound);
        }
    }

    async fn a_kit_that_is_not_this_accounts_root_word_is_refused(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let bob = Person::registered(&world, ann.user.0).await;
        let good = ann.kit(&world, &ann.root);
        set(&world, &ann, &good).await.unwrap();
        // The same user under another root.
        let other = Person::of_user(&world, ann.user);
        let cases = [
            (bob.kit(&world, &bob.root), "kit_wrong_user"),
            (other.kit(&world, &other.root), "kit_wrong_root"),
            // A stolen device signs in the root's place.
            (ann.kit(&world, &ann.devices[0].key), "kit_bad_signature"),
        ];
        for (kit, cause) in cases {
            let outcome = set(&world, &ann, &kit).await;
            assert_eq!(reason(outcome.clone()), ErrorReason::IdentityRefused, "{cause}");
            assert_eq!(metadata(outcome, "cause"), cause);
        }
        let mut junk = vec![vec![], vec![6; 194], good.to_bytes()];
        junk[2].push(0);
        for bytes in junk.into_iter().skip(1) {
            let request = pb::SetRecoveryKitRequest { recovery_kit: bytes.into() };
            let outcome = world.devices().set_recovery_kit(by(ann.actor(), request)).await;
            assert_eq!(metadata(outcome.map(Response::into_inner), "field"), "recovery_kit");
        }
        assert_eq!(get(&world, &ann).await.unwrap(), good.to_bytes());
    }
}
