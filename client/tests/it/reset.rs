//! An account that begins anew, with the platform's word and without any device.

use std::time::Duration;

use anyhow::Result;
use plasma_client::{Device, Error, Event, ResetNotDue, StopCause, Store, Trust};
use plasma_testkit::ClusterKind;

use crate::world::{World, listening, open, shows, stopped, until};

const DELAY: Duration = Duration::from_secs(3);

async fn request(world: &World) -> Result<plasma_client::PendingReset> {
    let token = world.platform.user_token("bob")?;
    Ok(Device::request_reset(&world.endpoint(0), world.tenant()?, &token).await?)
}

async fn reset(world: &World, store: Store) -> Result<Device, Error> {
    let token = world.platform.user_token("bob").expect("a token");
    let tenant = world.tenant().expect("a tenant");
    Device::reset(&world.endpoint(1), store, tenant, &token).await
}

fn not_due(result: Result<Device, Error>) -> ResetNotDue {
    match result {
        Err(Error::ResetNotDue(cause)) => cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_waits_can_be_stopped_and_shows_everybody_a_changed_identity() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::with_reset_after(kind, DELAY).await?;
        let ann = world.first_device("ann", &world.endpoint(0)).await?;
        let old = world.first_device("bob", &world.endpoint(1)).await?;
        let chat = open(&ann, &old.create_link().await?).await?;
        ann.send_text(chat, "before").await?;
        let before = old.own_account()?.fingerprint();
        let mut events = listening(&old).await;

        // Not asked for; then pending, announced and stopped by the old device.
        let refused = not_due(reset(&world, Store::in_memory()?).await);
        assert_eq!(refused, ResetNotDue::NotRequested);
        let asked = request(&world).await?;
        assert_eq!(request(&world).await?, asked, "{kind:?}");
        until(&mut events, |event| matches!(event, Event::ResetPending(reset) if *reset == asked))
            .await;
        assert_eq!(old.pending_reset()?, Some(asked));
        assert!(asked.explain().contains("cancel it now"));
        let refused = not_due(reset(&world, Store::in_memory()?).await);
        assert!(matches!(refused, ResetNotDue::Pending { .. }), "{refused:?}");
        old.cancel_reset().await?;
        assert_eq!(old.pending_reset()?, None);
        tokio::time::sleep(DELAY).await;
        let refused = not_due(reset(&world, Store::in_memory()?).await);
        assert_eq!(refused, ResetNotDue::NotRequested, "{kind:?}: it was cancelled");

        // Asked for again, and nobody says no.
        request(&world).await?;
        until(&mut events, |event| matches!(event, Event::ResetPending(_))).await;
        tokio::time::sleep(DELAY).await;
        let new = reset(&world, Store::in_memory()?).await?;
        let (cause, took) = stopped(&mut events).await;
        assert!(took < Duration::from_secs(5), "{kind:?}: {took:?}");
        assert!(matches!(cause, StopCause::AccountReset), "{kind:?}: {cause:?}");
        assert_eq!(new.user(), old.user());
        let now = new.own_account()?.fingerprint();
        assert_ne!(now, before);
        assert_eq!(new.chats().await?.len(), 1, "{kind:?}: chats stay");

        // The device set that the service goes by is at most a second old.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let refused = ann.send_text(chat, "is it you?").await.unwrap_err();
        assert!(matches!(refused, Error::IdentityChanged { .. }), "{kind:?}: {refused:?}");
        assert_eq!(ann.trust(new.user())?, Some(Trust::Changed { before, now }));
        ann.accept_identity(new.user(), now)?;
        assert_eq!(ann.trust(new.user())?, Some(Trust::Unverified));
        ann.flush_outbox().await?;
        new.pull_once(Duration::from_secs(5)).await?;
        shows(&new, chat, &["is it you?"]).await;
    }
    Ok(())
}
