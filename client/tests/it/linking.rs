//! A new device shows a code, another scans it, and the person says yes or no.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Result;
use plasma_client::{Device, Error, LinkingFailure, Store, Trust};
use plasma_testkit::ClusterKind;

use crate::world::{World, linked_in, open, pending_in, shows};

fn failure(error: Error) -> LinkingFailure {
    match error {
        Error::Linking(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_begins_with_what_the_person_has_confirmed() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let phone = world.first_device("ann", &world.endpoint(0)).await?;
        phone.rename_device(phone.address().device, "Phone").await?;
        let bob = world.first_device("bob", &world.endpoint(1)).await?;
        let chat = open(&phone, &bob.create_link().await?).await?;
        phone.send_text(chat, "before").await?;

        let mut pending = world.pending("ann", &world.endpoint(1)).await?;
        assert!(pending.qr_svg()?.contains("<svg") && pending.expire_time() > 0);
        let mut approval = phone.scan_linking(&pending.qr_text()).await?;
        let check = pending.check_code().await?;
        assert_eq!(approval.check_code(), check.code);
        assert_eq!(check.account, phone.own_account()?.fingerprint());
        let (laptop, approved) = tokio::join!(Box::pin(pending.complete()), async {
            let details = approval.details().await?;
            assert_eq!((details.device_name.as_str(), details.devices.len()), ("Laptop", 1));
            assert!(details.explain().contains("1 of 10 devices: Phone (this one)"));
            Box::pin(approval.approve(false)).await
        });
        approved?;
        let laptop = laptop?;

        assert_eq!(laptop.trust(bob.user())?, Some(Trust::Verified), "{kind:?}");
        for device in [&phone, &laptop] {
            // Two that were added within one second are in no particular order.
            let names: BTreeSet<_> = device.devices()?.into_iter().map(|own| own.name).collect();
            assert_eq!(names, ["Phone", "Laptop"].map(|name| Some(name.to_owned())).into());
        }
        laptop.send_text(chat, "from the laptop").await?;
        bob.pull_once(Duration::from_secs(5)).await?;
        bob.pull_once(Duration::from_secs(1)).await?;
        shows(&bob, chat, &["before", "from the laptop"]).await;
        // A device that may not approve says so, and the code stays good for one that may.
        let pending = world.pending("ann", &world.endpoint(0)).await?;
        let refused = laptop.scan_linking(&pending.qr_text()).await.unwrap_err();
        assert_eq!(failure(refused), LinkingFailure::NotApprover);
        phone.scan_linking(&pending.qr_text()).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_wrong_used_or_somebody_elses_is_refused_in_words() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    let second = world.linked("ann", &ann, &endpoint).await?;
    let eve = world.first_device("eve", &endpoint).await?;

    let link = ann.create_link().await?.to_string();
    assert_eq!(failure(ann.scan_linking(&link).await.unwrap_err()), LinkingFailure::NotACode);
    let older = world.pending("ann", &endpoint).await?;
    let pending = world.pending("ann", &endpoint).await?;
    for (device, code) in [(&ann, older.qr_text()), (&eve, pending.qr_text())] {
        let refused = failure(device.scan_linking(&code).await.unwrap_err());
        assert_eq!(refused, LinkingFailure::WrongAccount);
    }
    let _answered = ann.scan_linking(&pending.qr_text()).await?;
    for device in [&ann, &second] {
        let refused = failure(device.scan_linking(&pending.qr_text()).await.unwrap_err());
        assert_eq!(refused, LinkingFailure::Taken);
    }
    let nobody = world.pending("nobody", &endpoint).await.unwrap_err().downcast::<Error>()?;
    assert_eq!(failure(nobody), LinkingFailure::NoAccount);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_device_is_told_and_can_ask_again() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("laptop.sqlite");
    let pending = pending_in(&world.platform, "ann", &endpoint, Store::open(&path)?).await?;
    let approval = ann.scan_linking(&pending.qr_text()).await?;
    let (declined, told) = tokio::join!(Box::pin(pending.complete()), approval.decline());
    told?;
    assert_eq!(failure(declined.unwrap_err()), LinkingFailure::Declined);
    assert_eq!(ann.devices()?.len(), 1);
    linked_in(&world.platform, "ann", &ann, &endpoint, Store::open(&path)?).await?;
    assert_eq!(ann.devices()?.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_that_dies_before_the_grant_is_the_same_one_afterwards() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("laptop.sqlite");
    let pending = pending_in(&world.platform, "ann", &endpoint, Store::open(&path)?).await?;
    let mut approval = ann.scan_linking(&pending.qr_text()).await?;
    let dying = tokio::spawn(Box::pin(pending.complete()));
    approval.details().await?;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    // It is in the account, and does not know it.
    approval.approve(true).await?;
    let added = ann.devices()?.into_iter().find(|device| !device.is_this_device).unwrap().id;
    assert!(matches!(Device::open(&endpoint, Store::open(&path)?), Err(Error::NotRegistered)));

    let store = Store::open(&path)?;
    let laptop = linked_in(&world.platform, "ann", &ann, &endpoint, store).await?;
    assert_eq!(laptop.address().device, added);
    assert_eq!(ann.devices()?.len(), 2);
    let bob = world.first_device("bob", &endpoint).await?;
    let chat = open(&bob, &ann.create_link().await?).await?;
    assert_eq!(bob.send_text(chat, "hello").await?.deliveries.len(), 2);
    laptop.pull_once(Duration::from_secs(5)).await?;
    shows(&laptop, chat, &["hello"]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_eleventh_device_is_refused_with_a_way_out() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    for _ in 0..9 {
        world.linked("ann", &ann, &endpoint).await?;
    }
    let pending = world.pending("ann", &endpoint).await?;
    let approval = ann.scan_linking(&pending.qr_text()).await?;
    let (told, refused) =
        tokio::join!(Box::pin(pending.complete()), Box::pin(approval.approve(true)));
    assert_eq!(failure(told.unwrap_err()), LinkingFailure::Declined);
    let refused = failure(refused.unwrap_err());
    let LinkingFailure::TooManyDevices(devices) = &refused else { panic!("{refused:?}") };
    assert_eq!(devices.len(), 10);
    assert!(refused.to_string().contains("Remove one that you no longer use"), "{refused}");

    let unused = devices.iter().find(|device| !device.is_this_device).unwrap().id;
    ann.revoke_device(unused).await?;
    assert_eq!(ann.devices()?.len(), 9);
    // The service lets a user show ten codes at once, and one more every ten seconds.
    tokio::time::sleep(Duration::from_secs(11)).await;
    world.linked("ann", &ann, &endpoint).await?;
    assert_eq!(ann.devices()?.len(), 10);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn approvers_that_change_the_account_at_once_all_succeed() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let (left, right) = (world.endpoint(0), world.endpoint(1));
        let one = world.first_device("ann", &left).await?;
        let two = world.linked("ann", &one, &right).await?;
        let unused = world.linked("ann", &one, &left).await?.address().device;
        let (added, removed) = tokio::join!(
            Box::pin(world.linked("ann", &two, &right)),
            Box::pin(one.revoke_device(unused))
        );
        removed?;
        let added = added?.address().device;
        one.revoke_device(unused).await?;
        let third = world.linked("ann", &one, &right).await?;
        let listed: Vec<_> = third.devices()?.into_iter().map(|device| device.id).collect();
        assert!(listed.contains(&added) && !listed.contains(&unused), "{kind:?}: {listed:?}");
        assert_eq!(listed.len(), 4, "{kind:?}");
    }
    Ok(())
}
