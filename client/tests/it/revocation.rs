//! A device that is taken away, and a service that says nothing of it.

use std::time::Duration;

use anyhow::Result;
use plasma_client::{
    ChatId, Device, Endpoint, Error, Event, StopCause, Trust, UndecryptableReason,
};
use plasma_e2ee::DecryptError;
use plasma_identity::ChainError;
use plasma_proto::messaging::v1 as pb;
use plasma_testkit::{ClusterKind, Proxy};

use crate::world::{DEVICE_SET_AGE, World, listening, open, shown, shows, stopped, texts};

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_stops_within_five_seconds_and_gets_nothing_more() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let (left, right) = (world.endpoint(0), world.endpoint(1));
        let ann = world.first_device("ann", &left).await?;
        let bob = world.first_device("bob", &left).await?;
        let lost = world.linked("bob", &bob, &right).await?;
        let chat = open(&ann, &bob.create_link().await?).await?;
        let mut events = listening(&lost).await;
        assert_eq!(ann.send_text(chat, "one").await?.deliveries.len(), 2);
        shows(&lost, chat, &["one"]).await;

        bob.revoke_device(lost.address().device).await?;
        bob.revoke_device(lost.address().device).await?;
        let (cause, took) = stopped(&mut events).await;
        assert!(took < Duration::from_secs(5), "{kind:?}: {took:?}");
        // The service does not say why, and the device has seen no list without itself.
        assert!(matches!(cause, StopCause::Unrecognised), "{kind:?}: {cause:?}");
        assert!(cause.explain().contains("no longer knows this device"));
        tokio::time::sleep(DEVICE_SET_AGE).await;
        assert_eq!(ann.send_text(chat, "two").await?.deliveries.len(), 1, "{kind:?}");
        assert!(lost.pull(Duration::ZERO).await.is_err());
        assert!(lost.send_text(chat, "am I here?").await.is_err());
        assert_eq!(texts(&lost, chat)[0], "one");
        assert_eq!(ann.trust(bob.user())?, Some(Trust::Verified));
    }
    Ok(())
}

/// Bob has removed a device; the service hides that from Ann.
async fn hidden_revocation() -> Result<(World, Proxy, Device, Device, ChatId)> {
    let world = World::start(ClusterKind::Embedded).await?;
    let proxy = Proxy::start(world.cluster.node(0).channel()?).await?;
    let ann = world.first_device("ann", &Endpoint::new(proxy.url())).await?;
    let bob = world.first_device("bob", &world.endpoint(0)).await?;
    let lost = world.linked("bob", &bob, &world.endpoint(0)).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    assert_eq!(ann.send_text(chat, "one").await?.deliveries.len(), 2);
    let before = shown(&ann, &bob).await?;
    bob.revoke_device(lost.address().device).await?;
    tokio::time::sleep(DEVICE_SET_AGE).await;
    proxy.change("GetAccount", move |answer: &mut pb::GetAccountResponse| {
        answer.account = Some(before.clone());
    });
    Ok((world, proxy, ann, bob, chat))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_the_service_withholds_shows_in_the_next_message() -> Result<()> {
    let (_world, _proxy, ann, bob, chat) = hidden_revocation().await?;
    bob.send_text(chat, "under the new list").await?;
    let events = ann.pull_once(Duration::from_secs(5)).await?;
    let withheld = UndecryptableReason::Protocol(DecryptError::UnknownSenderManifest);
    let told = |event: &Event| matches!(event, Event::Undecryptable(u) if u.reason == withheld);
    assert!(events.iter().any(told), "{events:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_goes_back_behind_a_revocation_is_refused() -> Result<()> {
    let (_world, proxy, ann, bob, chat) = hidden_revocation().await?;
    // Ann learns of the revocation when she writes, and of the old list afterwards.
    assert_eq!(ann.send_text(chat, "two").await?.deliveries.len(), 1);
    let account = ann.verified_account(bob.user())?.expect("Bob's account");
    let (before, own) = (shown(&ann, &bob).await?, shown(&bob, &ann).await?);
    proxy.change("Send", move |answer: &mut pb::SendResponse| {
        answer.outcome = Some(pb::send_response::Outcome::Mismatch(pb::DeviceMismatch {
            own_account: Some(own.clone()),
            peer_account: Some(before.clone()),
            ..pb::DeviceMismatch::default()
        }));
    });
    let error = ann.send_text(chat, "three").await.unwrap_err();
    let refused = matches!(error, Error::Identity { cause: ChainError::RolledBack, .. });
    assert!(refused, "{error:?}");
    let kept = ann.verified_account(bob.user())?.expect("Bob's account");
    assert_eq!(kept.manifest_hash(), account.manifest_hash());
    Ok(())
}
