//! Linkings: three sealed messages between a new device and one approver.

use std::time::Duration;

use bytes::Bytes;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::{LinkingId, TenantId, UserId};
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tonic::{Code, Request, Response, Status};

use crate::on_both_databases;
use crate::person::{Person, tenant};
use crate::world::{World, by, enrolling, metadata, reason};

type User = (TenantId, UserId);

/// Who calls.
#[derive(Clone, Copy)]
enum Who {
    New(User),
    Device(DeviceActor),
}

impl Who {
    fn says<T>(self, message: T) -> Request<T> {
        match self {
            Self::New(user) => enrolling(user, message),
            Self::Device(device) => by(device, message),
        }
    }
}

async fn start(world: &World, user: User) -> Result<pb::StartLinkingResponse, Status> {
    let request = enrolling(user, pb::StartLinkingRequest {});
    world.linkings().start_linking(request).await.map(Response::into_inner)
}

async fn post(
    world: &World,
    who: Who,
    id: &str,
    number: i32,
    bytes: &'static [u8],
) -> Result<(), Status> {
    let request = pb::PostLinkingMessageRequest {
        linking_id: id.to_owned(),
        number,
        ciphertext: Bytes::from_static(bytes),
    };
    world.linkings().post_linking_message(who.says(request)).await.map(drop)
}

async fn wait(
    world: &World,
    who: Who,
    id: &str,
    number: i32,
    seconds: i64,
) -> Result<Bytes, Status> {
    let request = pb::AwaitLinkingMessageRequest {
        linking_id: id.to_owned(),
        number,
        wait: Some(prost_types::Duration { seconds, nanos: 0 }),
    };
    Ok(world.linkings().await_linking_message(who.says(request)).await?.into_inner().ciphertext)
}

#[track_caller]
fn cause<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    let status = outcome.expect_err("a refusal");
    assert_eq!(reason::<()>(Err(status.clone())), ErrorReason::LinkingNotOpen, "{status:?}");
    metadata::<()>(Err(status), "cause")
}

on_both_databases! {
    async fn three_messages_go_to_and_fro(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let (new, device) = (Who::New(ann.user), Who::Device(ann.actor()));
        let opened = start(&world, ann.user).await.unwrap();
        let ends = opened.expire_time.unwrap().seconds - world.env.now().seconds();
        assert!((118..=120).contains(&ends), "{ends}");
        let id = opened.linking_id.as_str();
        let (first, ()) = tokio::join!(wait(&world, new, id, 1, 10), async {
            assert_eq!(wait(&world, new, id, 1, 0).await.unwrap(), "");
            post(&world, device, id, 1, b"one").await.unwrap();
        });
        assert_eq!(first.unwrap(), "one");
        let (second, ()) = tokio::join!(wait(&world, device, id, 2, 10), async {
            post(&world, new, id, 2, b"two").await.unwrap();
        });
        assert_eq!(second.unwrap(), "two");
        let (third, ()) = tokio::join!(wait(&world, new, id, 3, 10), async {
            post(&world, device, id, 3, b"three").await.unwrap();
        });
        assert_eq!(third.unwrap(), "three");
        // The same again, from either side and at any stage, changes nothing.
        for (who, number, bytes) in [
            (device, 1, &b"one"[..]), (new, 2, b"two"), (device, 3, b"three"),
        ] {
            post(&world, who, id, number, bytes).await.unwrap();
            assert_eq!(cause(post(&world, who, id, number, b"other").await), "taken");
        }
        assert_eq!(wait(&world, new, id, 1, 0).await.unwrap(), "one");
        // A wait that nobody answers ends by itself.
        let id = start(&world, ann.user).await.unwrap().linking_id;
        let begun = std::time::Instant::now();
        assert_eq!(wait(&world, new, &id, 1, 1).await.unwrap(), "");
        assert!(begun.elapsed() >= Duration::from_secs(1));
    }

    async fn the_order_and_the_sides_are_kept(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let (reader, other) =
            (ann.add_device(&world, false).await, ann.add_device(&world, true).await);
        let (new, device) = (Who::New(ann.user), Who::Device(ann.actor()));
        let id = start(&world, ann.user).await.unwrap().linking_id;
        for (who, number) in [(device, 2), (device, 3), (new, 1), (new, 2), (new, 3)] {
            assert_eq!(cause(post(&world, who, &id, number, b"x").await), "out_of_order");
        }
        for (who, number) in [(device, 1), (device, 2), (device, 3), (new, 2)] {
            assert_eq!(cause(wait(&world, who, &id, number, 0).await), "out_of_order");
        }
        // A device that may not approve others cannot answer.
        let outcome = post(&world, Who::Device(reader.actor), &id, 1, b"x").await;
        assert_eq!(metadata(outcome, "cause"), "caller_not_approver");
        post(&world, device, &id, 1, b"one").await.unwrap();
        // Another approver comes too late, with other words or the same.
        let late = Who::Device(other.actor);
        for bytes in [&b"one"[..], b"two"] {
            assert_eq!(cause(post(&world, late, &id, 1, bytes).await), "taken");
        }
        assert_eq!(cause(wait(&world, late, &id, 2, 0).await), "taken");
        assert_eq!(cause(post(&world, device, &id, 3, b"x").await), "out_of_order");
        post(&world, new, &id, 2, b"two").await.unwrap();
        assert_eq!(cause(post(&world, late, &id, 3, b"three").await), "taken");
        post(&world, device, &id, 3, b"three").await.unwrap();
    }

    async fn a_linking_ends_by_time_and_by_the_next(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let (new, device) = (Who::New(ann.user), Who::Device(ann.actor()));
        let first = start(&world, ann.user).await.unwrap().linking_id;
        post(&world, device, &first, 1, b"one").await.unwrap();
        let second = start(&world, ann.user).await.unwrap().linking_id;
        let gone = wait(&world, new, &first, 1, 0).await;
        assert_eq!(gone.unwrap_err().code(), Code::NotFound);
        let there = "SELECT COUNT(*) FROM linkings";
        assert_eq!(world.count(there, vec![]).await, 1);
        post(&world, device, &second, 1, b"one").await.unwrap();
        world.wait(Duration::from_secs(121));
        assert_eq!(cause(wait(&world, new, &second, 1, 10).await), "expired");
        assert_eq!(cause(post(&world, new, &second, 2, b"two").await), "expired");
        world.messaging.prune().await.unwrap();
        assert_eq!(world.count(there, vec![]).await, 1);
        world.wait(Duration::from_mins(1));
        world.messaging.prune().await.unwrap();
        assert_eq!(world.count(there, vec![]).await, 0);
    }

    async fn anothers_linking_is_as_absent_as_none(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let bob = Person::registered(&world, ann.user.0).await;
        let cat = Person::registered(&world, tenant(&world)).await;
        let nobody = Person::new(&world, ann.user.0);
        assert_eq!(start(&world, nobody.user).await.unwrap_err().code(), Code::NotFound);
        let id = start(&world, ann.user).await.unwrap().linking_id;
        let absent = LinkingId(world.env.uuid()).to_string();
        let mut answers = Vec::new();
        for who in [
            Who::New(bob.user), Who::Device(bob.actor()), Who::New(cat.user),
            Who::Device(cat.actor()), Who::New(nobody.user),
        ] {
            for id in [&id, &absent] {
                for number in 1..=3 {
                    answers.push(post(&world, who, id, number, b"x").await.unwrap_err());
                    answers.push(wait(&world, who, id, number, 1).await.unwrap_err());
                }
            }
        }
        assert!(answers.iter().all(|status| status.code() == Code::NotFound));
        let mut bytes: Vec<_> =
            answers.iter().map(|status| (status.message(), status.details())).collect();
        bytes.dedup();
        assert_eq!(bytes.len(), 1);
        post(&world, Who::Device(ann.actor()), &id, 1, b"one").await.unwrap();
    }

    async fn of_two_approvers_that_answer_at_once_one_takes_the_linking(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let other = ann.add_device(&world, true).await;
        for _ in 0..8 {
            let id = start(&world, ann.user).await.unwrap().linking_id;
            let (one, two) = tokio::join!(
                post(&world, Who::Device(ann.actor()), &id, 1, b"one"),
                post(&world, Who::Device(other.actor), &id, 1, b"two"),
            );
            assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
            let expected = if one.is_ok() { "one" } else { "two" };
            assert_eq!(cause(one.and(two)), "taken");
            assert_eq!(wait(&world, Who::New(ann.user), &id, 1, 0).await.unwrap(), expected);
            // Ten at once, then one every ten seconds.
            world.wait(Duration::from_secs(10));
        }
    }

    async fn a_user_opens_ten_linkings_at_once_and_no_more(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let bob = Person::registered(&world, ann.user.0).await;
        for _ in 0..10 {
            start(&world, ann.user).await.unwrap();
        }
        assert_eq!(reason(start(&world, ann.user).await), ErrorReason::RateLimited);
        start(&world, bob.user).await.unwrap();
        world.wait(Duration::from_secs(10));
        start(&world, ann.user).await.unwrap();
    }

    async fn a_wait_ends_with_its_node(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let id = start(&world, ann.user).await.unwrap().linking_id;
        let begun = std::time::Instant::now();
        let (waited, ()) = tokio::join!(wait(&world, Who::New(ann.user), &id, 1, 30), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            world.messaging.delivery().drain().await;
        });
        assert_eq!(waited.unwrap(), "");
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}
