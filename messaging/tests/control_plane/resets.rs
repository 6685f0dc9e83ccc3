//! An account begins anew on the platform's word, and every device of it can say no.

use std::time::Duration;

use plasma_kit::actor::Actor;
use plasma_kit::ids::DeviceId;
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::receive_response::Event;
use tonic::{Code, Response, Status};

use crate::devices::{account, verify};
use crate::links;
use crate::on_both_databases;
use crate::person::{Device, Person, tenant};
use crate::recovery_kits;
use crate::revocation::{enqueue, is_gone};
use crate::world::{World, by, enrolling, metadata, reason};

const DAY: Duration = Duration::from_hours(24);

async fn ask(world: &World, person: &Person) -> Result<pb::AccountReset, Status> {
    let request = enrolling(person.user, pb::RequestAccountResetRequest {});
    let answer = world.devices().request_account_reset(request).await?;
    Ok(answer.into_inner().reset.unwrap())
}

async fn cancel(world: &World, device: &Device) -> Result<(), Status> {
    let request = by(device.actor, pb::CancelAccountResetRequest {});
    world.devices().cancel_account_reset(request).await.map(drop)
}

/// What `person` sends to begin anew.
fn beginning(world: &World, person: &Person) -> pb::ResetAccountRequest {
    let registration = person.registration(world);
    pb::ResetAccountRequest {
        root_public_key: registration.root_public_key,
        certificate: registration.certificate,
        manifest: registration.manifest,
        prekeys: registration.prekeys,
    }
}

async fn carry_out(world: &World, person: &Person) -> Result<pb::ResetAccountResponse, Status> {
    let request = enrolling(person.user, beginning(world, person));
    world.devices().reset_account(request).await.map(Response::into_inner)
}

/// Has an account of a platform that demands no delay begin anew, with one device.
pub async fn reset_at_once(world: &World, person: &Person) {
    world.tenants.set_terms(person.user.0, |terms| terms.account_reset_delay = Duration::ZERO);
    ask(world, person).await.unwrap();
    carry_out(world, &Person::of_user(world, person.user)).await.unwrap();
}

fn cause(outcome: Result<pb::ResetAccountResponse, Status>) -> String {
    assert_eq!(reason(outcome.clone()), ErrorReason::ResetNotDue);
    metadata(outcome, "cause")
}

fn seconds(time: Option<&prost_types::Timestamp>) -> i64 {
    time.unwrap().seconds
}

on_both_databases! {
    async fn an_account_begins_anew_when_its_delay_is_over(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        ann.add_device(&world, true).await;
        let link = links::create(&world, &ann, "the link").await.unwrap();
        recovery_kits::set(&world, &ann, &ann.kit(&world, &ann.root)).await.unwrap();
        enqueue(&world, ann.devices[1].actor.device, &ann).await;
        let reset = ask(&world, &ann).await.unwrap();
        let (asked, effective, expires) = (
            seconds(reset.request_time.as_ref()),
            seconds(reset.effective_time.as_ref()),
            seconds(reset.expire_time.as_ref()),
        );
        assert_eq!((effective - asked, expires - effective), (7 * 86_400, 7 * 86_400));
        // Asked again, it is the one that is pending, whatever the platform's policy says by now.
        world.tenants.set_terms(ann.user.0, |terms| terms.account_reset_delay = Duration::ZERO);
        world.wait(Duration::from_hours(1));
        assert_eq!(ask(&world, &ann).await.unwrap(), reset);

        world.wait(Duration::from_mins(7 * 24 * 60 - 61));
        let anew = Person::of_user(&world, ann.user);
        let early = carry_out(&world, &anew).await;
        assert_eq!(cause(early.clone()), "pending");
        let effective_time = reset.effective_time.unwrap().to_string();
        assert_eq!(metadata(early, "effective_time"), effective_time);
        let seen = account(&world, &ann, ann.pb_address()).await;
        assert_eq!(verify(&world, &ann, &seen), 2);

        world.wait(Duration::from_mins(2));
        // Prekeys and manifest must be of the day.
        let anew = Person::of_user(&world, ann.user);
        let answer = carry_out(&world, &anew).await.unwrap();
        let sessions = world.messaging.sessions();
        let actor = sessions.authenticate(&answer.access_token).await.unwrap();
        assert_eq!(actor, Actor::Device(anew.actor()));
        let seen = account(&world, &anew, anew.pb_address()).await;
        assert_eq!(verify(&world, &anew, &seen), 1);
        // Nothing of the chain before is of use to anybody.
        assert_eq!((seen.manifests.len(), seen.certificates.len()), (1, 1));
        crate::world::eventually(|| async {
            let set = world.messaging.directory().device_set(ann.user.0, ann.user.1).await.unwrap();
            set.devices == [anew.actor().device]
        })
        .await;
        for device in &ann.devices {
            is_gone(&world, &anew, device).await;
        }
        assert_eq!(recovery_kits::get(&world, &anew).await.unwrap_err().code(), Code::NotFound);
        // What is the user's stays.
        let links = pb::ListLinksRequest { page_size: 10, page_token: String::new() };
        let links = world.links().list_links(by(anew.actor(), links)).await.unwrap();
        assert_eq!(links.into_inner().links, [link]);
        // The same again, a short time after: it is not carried out twice, and gives no token.
        let again = carry_out(&world, &anew).await.unwrap();
        assert_eq!((again.access_token.as_str(), again.expire_time), ("", None));
        let other = Person::of_user(&world, ann.user);
        assert_eq!(cause(carry_out(&world, &other).await), "not_requested");
        world.wait(Duration::from_mins(16));
        assert_eq!(cause(carry_out(&world, &anew).await), "not_requested");
    }

    async fn the_id_of_a_device_before_a_reset_never_comes_back(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        world.tenants.set_terms(ann.user.0, |terms| terms.account_reset_delay = Duration::ZERO);
        ask(&world, &ann).await.unwrap();
        // The old root itself, with the device that there was.
        let outcome = carry_out(&world, &Person { manifest: again(&world, &ann), ..ann.clone() }).await;
        assert_eq!(metadata(outcome, "cause"), "device_id_taken");
        let seen = account(&world, &ann, ann.pb_address()).await;
        assert_eq!(verify(&world, &ann, &seen), 1);
        let anew = Person::of_user(&world, ann.user);
        carry_out(&world, &anew).await.unwrap();
        let sql = "SELECT COUNT(*) FROM devices WHERE device_id = $1 AND state = 3";
        assert_eq!(world.count(sql, vec![ann.actor().device.0.into()]).await, 1);
        let theirs = Person::new(&world, ann.user.0);
        assert_ne!(DeviceId(theirs.address().user), ann.actor().device);
    }

    async fn a_reset_is_due_neither_early_nor_late_nor_unasked(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let nobody = Person::new(&world, ann.user.0);
        assert_eq!(ask(&world, &nobody).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(cause(carry_out(&world, &nobody).await), "not_requested");
        let anew = || Person::of_user(&world, ann.user);
        assert_eq!(cause(carry_out(&world, &anew()).await), "not_requested");
        let first = ask(&world, &ann).await.unwrap();
        // Cancelled, and asked for again: the delay begins again.
        cancel(&world, &ann.devices[0]).await.unwrap();
        cancel(&world, &ann.devices[0]).await.unwrap();
        world.wait(DAY * 8);
        assert_eq!(cause(carry_out(&world, &anew()).await), "not_requested");
        let second = ask(&world, &ann).await.unwrap();
        assert!(seconds(second.effective_time.as_ref()) > seconds(first.expire_time.as_ref()) - 1);
        assert_eq!(cause(carry_out(&world, &anew()).await), "pending");
        world.wait(DAY * 14 + Duration::from_secs(5));
        assert_eq!(cause(carry_out(&world, &anew()).await), "expired");
        let third = ask(&world, &ann).await.unwrap();
        assert!(seconds(third.request_time.as_ref()) > seconds(second.expire_time.as_ref()));
        // What is not signed is not carried out, due or not.
        world.wait(DAY * 7 + Duration::from_secs(5));
        let (good, other) = (anew(), anew());
        let mut forged = beginning(&world, &good);
        forged.root_public_key = beginning(&world, &other).root_public_key;
        let outcome = world.devices().reset_account(enrolling(ann.user, forged)).await;
        assert_eq!(metadata(outcome, "cause"), "wrong_root");
        carry_out(&world, &good).await.unwrap();
    }

    async fn every_device_is_told_of_a_reset_and_of_its_end(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let second = ann.add_device(&world, false).await;
        let bob = Person::registered(&world, ann.user.0).await;
        let open = async |device: &Device| {
            let answer = world.messages().receive(by(device.actor, pb::ReceiveRequest {})).await;
            let mut stream = answer.unwrap().into_inner();
            let Some(Event::Hello(hello)) = stream.message().await.unwrap().unwrap().event else {
                panic!("a stream without a hello")
            };
            (stream, hello.pending_reset)
        };
        let told = async |stream: &mut tonic::Streaming<pb::ReceiveResponse>| {
            let next = async {
                loop {
                    if let Some(Event::Resume(resume)) =
                        stream.message().await.unwrap().unwrap().event
                    {
                        return resume.reason();
                    }
                }
            };
            tokio::time::timeout(Duration::from_secs(5), next).await
        };
        let (mut first, none) = open(&ann.devices[0]).await;
        let (mut other, _) = open(&second).await;
        let (mut stranger, _) = open(&bob.devices[0]).await;
        assert_eq!(none, None);
        let reset = ask(&world, &ann).await.unwrap();
        for stream in [&mut first, &mut other] {
            assert_eq!(told(stream).await.unwrap(), pb::ResumeReason::AccountNotice);
        }
        let (mut first, pending) = open(&ann.devices[0]).await;
        assert_eq!(pending, Some(reset));
        let pull = pb::PullRequest { page_size: 1, wait: None };
        let pulled = world.messages().pull(by(second.actor, pull)).await.unwrap().into_inner();
        assert_eq!(pulled.pending_reset, Some(reset));
        // A device that may not approve may cancel.
        cancel(&world, &second).await.unwrap();
        assert_eq!(told(&mut first).await.unwrap(), pb::ResumeReason::AccountNotice);
        assert_eq!(open(&ann.devices[0]).await.1, None);
        // Nobody is told of what has had its time.
        ask(&world, &ann).await.unwrap();
        world.wait(DAY * 15);
        assert_eq!(open(&ann.devices[0]).await.1, None);
        let next = tokio::time::timeout(Duration::from_millis(200), told(&mut stranger)).await;
        assert!(next.is_err(), "a stranger was told: {next:?}");
    }

    async fn of_a_reset_and_its_cancellation_at_once_one_wins(world: World) {
        for _ in 0..6 {
            let ann = Person::registered(&world, tenant(&world)).await;
            world.tenants.set_terms(ann.user.0, |terms| terms.account_reset_delay = Duration::ZERO);
            ask(&world, &ann).await.unwrap();
            let (one, two) = (Person::of_user(&world, ann.user), Person::of_user(&world, ann.user));
            let (cancelled, first, second) = tokio::join!(
                cancel(&world, &ann.devices[0]),
                carry_out(&world, &one),
                carry_out(&world, &two),
            );
            let carried_out = [&first, &second].iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(carried_out, usize::from(cancelled.is_err()), "{cancelled:?} {first:?} {second:?}");
            let sql = "SELECT COUNT(*) FROM devices WHERE user_id = $1 AND state = 1";
            assert_eq!(world.count(sql, vec![ann.user.1.0.into()]).await, 1);
            let left = "SELECT COUNT(*) FROM account_resets WHERE user_id = $1";
            assert_eq!(world.count(left, vec![ann.user.1.0.into()]).await, 0);
        }
    }
}

/// The first manifest of a person, signed another time.
fn again(world: &World, person: &Person) -> plasma_identity::Manifest {
    let statement = plasma_identity::ManifestStatement {
        issued: u64::try_from(world.env.now().seconds()).unwrap() - 1,
        ..person.manifest.statement().clone()
    };
    plasma_identity::Manifest::sign(statement, &person.root).unwrap()
}
