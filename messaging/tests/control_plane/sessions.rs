//! Tokens: how a device gets one, what it is worth, how it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use plasma_identity::{Signer, session_challenge};
use plasma_kit::Failure;
use plasma_kit::actor::Actor;
use plasma_kit::changes;
use plasma_kit::events::{Event, Subject};
use plasma_kit::ids::{DeviceId, UserId};
use plasma_messaging::ports::Standing;
use plasma_proto::error_info::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tokio::sync::Barrier;
use tonic::{Code, Status};

use crate::on_both_databases;
use crate::person::{Device, Person, tenant};
use crate::world::{World, by, eventually, reason};

async fn challenge(world: &World, device: &Device) -> bytes::Bytes {
    let request = pb::CreateChallengeRequest { device: Some(device.pb_address()) };
    world.sessions().create_challenge(request).await.unwrap().into_inner().challenge
}

pub async fn sign_in(world: &World, device: &Device) -> Result<String, Status> {
    let challenge = challenge(world, device).await;
    let signature = device.key.sign(&session_challenge(&device.address(), &challenge));
    let request = pb::CreateSessionRequest {
        device: Some(device.pb_address()),
        challenge,
        signature: signature.to_bytes().to_vec().into(),
    };
    Ok(world.sessions().create_session(request).await?.into_inner().access_token)
}

fn reason_of(outcome: Result<Actor, Failure>) -> ErrorReason {
    outcome.expect_err("a refusal").reason()
}

on_both_databases! {
    async fn a_platforms_word_leads_to_a_device_and_its_token_names_it(world: World) {
        let person = Person::new(&world, tenant(&world));
        let exchange = pb::ExchangeTokenRequest {
            tenant_id: person.user.0.to_string(),
            platform_token: person.user.1.to_string(),
        };
        let answer = world.sessions().exchange_token(exchange.clone()).await.unwrap().into_inner();
        assert_eq!(answer.user, Some(person.pb_address()));
        assert!(!answer.has_devices);
        let sessions = world.messaging.sessions();
        match sessions.authenticate(&answer.enrollment_token).await.unwrap() {
            Actor::Enrollment(actor) => assert_eq!((actor.tenant, actor.user), person.user),
            other => panic!("{other:?}"),
        }
        let registered = person.register(&world).await.unwrap();
        let actor = sessions.authenticate(&registered.access_token).await.unwrap();
        assert_eq!(actor, Actor::Device(person.actor()));
        let answer = world.sessions().exchange_token(exchange).await.unwrap().into_inner();
        assert!(answer.has_devices);
    }

    async fn a_device_opens_a_session_by_its_signature_and_by_nothing_else(world: World) {
        let (ann, bob) =
            (Person::registered(&world, tenant(&world)).await, Person::new(&world, tenant(&world)));
        let device = &ann.devices[0];
        let token = sign_in(&world, device).await.unwrap();
        let actor = world.messaging.sessions().authenticate(&token).await.unwrap();
        assert_eq!(actor, Actor::Device(device.actor));

        let given = challenge(&world, device).await;
        assert!(given.len() <= 128);
        let good = device.key.sign(&session_challenge(&device.address(), &given)).to_bytes();
        let by_other = bob.root.sign(&session_challenge(&device.address(), &given)).to_bytes();
        let mut altered = given.to_vec();
        altered[3] ^= 1;
        let for_altered = device.key.sign(&session_challenge(&device.address(), &altered));
        let unknown = bob.devices[0].clone();
        let theirs = challenge(&world, &unknown).await;
        assert_eq!(theirs.len(), given.len());
        let by_unknown = unknown.key.sign(&session_challenge(&unknown.address(), &theirs));
        let attempts = [
            (device, given.clone(), by_other),
            (device, given.clone(), [0; 64]),
            (device, altered.into(), for_altered.to_bytes()),
            (device, theirs.clone(), good),
            (&unknown, theirs, by_unknown.to_bytes()),
        ];
        let mut answers = Vec::new();
        for (device, challenge, signature) in attempts {
            let request = pb::CreateSessionRequest {
                device: Some(device.pb_address()),
                challenge,
                signature: signature.to_vec().into(),
            };
            let status = world.sessions().create_session(request).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated);
            answers.push((status.message().to_owned(), status.details().to_vec()));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "refusals differ");
        // The same challenge and signature are good as long as nothing is altered.
        let request = pb::CreateSessionRequest {
            device: Some(device.pb_address()),
            challenge: given,
            signature: good.to_vec().into(),
        };
        world.sessions().create_session(request.clone()).await.unwrap();
        let later = world.env.now().plus(Duration::from_secs(61));
        world.env.follow(later);
        let outcome = world.sessions().create_session(request).await;
        assert_eq!(reason(outcome), ErrorReason::Unauthenticated);
    }

    async fn a_blocked_user_and_a_suspended_tenant_are_told_so(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let device = &ann.devices[0];
        let token = sign_in(&world, device).await.unwrap();
        for (standing, expected) in [
            (Standing::Blocked, ErrorReason::UserBlocked),
            (Standing::TenantSuspended, ErrorReason::TenantSuspended),
            (Standing::Absent, ErrorReason::Unauthenticated),
        ] {
            world.tenants.set_standing(ann.user.1, standing);
            assert_eq!(reason(sign_in(&world, device).await), expected);
            let outcome = world.messaging.sessions().authenticate(&token).await;
            assert_eq!(reason_of(outcome), expected);
        }
    }

    async fn a_token_is_looked_up_once_and_forgotten_when_its_user_is_revoked(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let token = sign_in(&world, &ann.devices[0]).await.unwrap();
        let sessions = world.messaging.sessions();
        sessions.authenticate(&token).await.unwrap();
        let asked = world.tenants.asked.load(Ordering::SeqCst);
        for _ in 0..10 {
            sessions.authenticate(&token).await.unwrap();
        }
        assert_eq!(world.tenants.asked.load(Ordering::SeqCst), asked);
        world.tenants.set_standing(ann.user.1, Standing::Blocked);
        sessions.authenticate(&token).await.expect("known until an event says otherwise");
        let subject = Subject::User(ann.user.1);
        world.events.emit(Event::Revoked { tenant: ann.user.0, subject }).await;
        eventually(|| async { sessions.authenticate(&token).await.is_err() }).await;
    }

    async fn a_revocation_during_a_verification_is_not_overlooked(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let token = sign_in(&world, &ann.devices[0]).await.unwrap();
        let sessions = world.messaging.sessions().clone();
        let barrier = Arc::new(Barrier::new(2));
        *world.tenants.pause.lock() = Some(Arc::clone(&barrier));
        let verifying = tokio::spawn({
            let (sessions, token) = (sessions.clone(), token.clone());
            async move { sessions.authenticate(&token).await }
        });
        // The verification has read that the user is active; now the user is blocked, and every
        // cache is told.
        barrier.wait().await;
        world.tenants.set_standing(ann.user.1, Standing::Blocked);
        let subject = Subject::User(ann.user.1);
        let mut events = world.events.listen();
        world.events.emit(Event::Revoked { tenant: ann.user.0, subject }).await;
        events.recv().await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        barrier.wait().await;
        assert_eq!(reason_of(verifying.await.unwrap()), ErrorReason::UserBlocked);
        let asked = world.tenants.asked.load(Ordering::SeqCst);
        assert_eq!(reason_of(sessions.authenticate(&token).await), ErrorReason::UserBlocked);
        assert!(world.tenants.asked.load(Ordering::SeqCst) > asked, "the token was kept");
    }

    async fn signing_out_ends_every_token_of_the_device_and_no_other(world: World) {
        let mut ann = Person::registered(&world, tenant(&world)).await;
        let second = ann.add_device(&world, false).await;
        let first = ann.devices[0].clone();
        let mine = [sign_in(&world, &first).await.unwrap(), sign_in(&world, &first).await.unwrap()];
        let other = sign_in(&world, &second).await.unwrap();
        let sessions = world.messaging.sessions();
        // The first token is known to the cache, the second not.
        sessions.authenticate(&mine[0]).await.unwrap();
        sessions.authenticate(&other).await.unwrap();
        world.sessions().sign_out(by(first.actor, pb::SignOutRequest {})).await.unwrap();
        for token in &mine {
            eventually(|| async { sessions.authenticate(token).await.is_err() }).await;
            let outcome = sessions.authenticate(token).await;
            assert_eq!(reason_of(outcome), ErrorReason::Unauthenticated);
        }
        sessions.authenticate(&other).await.unwrap();
        let again = sign_in(&world, &first).await.unwrap();
        sessions.authenticate(&again).await.unwrap();
        let rows = world.count("SELECT COUNT(*) FROM revocations", vec![]).await;
        assert_eq!(rows, 1);
    }

    async fn a_sign_out_bites_on_a_node_that_the_bus_does_not_reach(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let token = sign_in(&world, &ann.devices[0]).await.unwrap();
        // Another node: caches and events of its own, the same database.
        let bus = plasma_kit::bus::LocalBus::default();
        let stop = tokio_util::sync::CancellationToken::new();
        let events = plasma_kit::events::Events::start(Arc::new(bus), stop.clone()).await;
        let secrets = plasma_kit::secrets::Secrets::new(vec![[7; 32]]).unwrap();
        let tenants = Arc::clone(&world.tenants) as Arc<dyn plasma_messaging::ports::Tenants>;
        let (db, env) = (world.db.clone(), world.env.clone());
        let far = plasma_messaging::sessions::Sessions::new(db, env, secrets, tenants);
        far.watch(events.listen(), stop.clone());
        let (db, env) = (world.db.system(), world.env.clone());
        tokio::spawn(changes::follow(db, env, events, changes::Freshness::default(), stop.clone()));
        far.authenticate(&token).await.unwrap();
        world.sessions().sign_out(by(ann.actor(), pb::SignOutRequest {})).await.unwrap();
        eventually(|| async { far.authenticate(&token).await.is_err() }).await;
        stop.cancel();
    }

    async fn an_expired_token_says_that_it_has_expired(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let known = sign_in(&world, &ann.devices[0]).await.unwrap();
        let unseen = sign_in(&world, &ann.devices[0]).await.unwrap();
        let sessions = world.messaging.sessions();
        sessions.authenticate(&known).await.unwrap();
        world.env.follow(world.env.now().plus(Duration::from_mins(15)));
        for token in [&known, &unseen] {
            let outcome = sessions.authenticate(token).await;
            assert_eq!(reason_of(outcome), ErrorReason::TokenExpired);
        }
        let outcome = sessions.authenticate(&format!("{unseen}x")).await;
        assert_eq!(reason_of(outcome), ErrorReason::Unauthenticated);
    }

    async fn a_token_is_worth_nothing_where_its_device_is_another_users(world: World) {
        let ann = Person::registered(&world, tenant(&world)).await;
        let token = sign_in(&world, &ann.devices[0]).await.unwrap();
        let sql = "UPDATE devices SET user_id = $1 WHERE device_id = $2";
        let stranger = Person::registered(&world, ann.user.0).await;
        let DeviceId(device) = ann.actor().device;
        let UserId(other) = stranger.user.1;
        assert_eq!(world.execute(ann.user.0, sql, vec![other.into(), device.into()]).await, 1);
        let outcome = world.messaging.sessions().authenticate(&token).await;
        assert_eq!(reason_of(outcome), ErrorReason::Unauthenticated);
    }
}
