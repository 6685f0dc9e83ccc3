//! How sure two people are of each other, and what they can do about it.

use anyhow::Result;
use plasma_client::{ContactLink, Endpoint, Error, SafetyComparison, SafetyMismatch, Trust};
use plasma_proto::messaging::v1 as pb;
use plasma_testkit::{ClusterKind, Proxy};

use crate::world::{World, open, shown};

#[tokio::test(flavor = "multi_thread")]
async fn two_people_compare_numbers_and_are_sure() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let ann = world.first_device("ann", &world.endpoint(0)).await?;
        let bob = world.first_device("bob", &world.endpoint(1)).await?;
        let bare: ContactLink = bob.create_link().await?.url().parse()?;
        open(&ann, &bare).await?;
        let unverified = ann.trust(bob.user())?.expect("Bob is known");
        assert_eq!(unverified, Trust::Unverified, "{kind:?}");
        assert!(unverified.explain().contains("nobody has checked it"));

        let (anns, bobs) =
            (ann.safety_number(bob.user()).await?, bob.safety_number(ann.user()).await?);
        assert_eq!(anns.to_string(), bobs.to_string());
        let matched = ann.compare_safety_number(bob.user(), &bobs.qr_text()).await?;
        assert_eq!(matched, SafetyComparison::Match);
        assert_eq!(ann.trust(bob.user())?, Some(Trust::Verified));
        assert_eq!(bob.trust(ann.user())?, Some(Trust::Unverified), "each side for itself");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_in_between_shows_in_the_numbers() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let proxy = Proxy::start(world.cluster.node(0).channel()?).await?;
    let ann = world.first_device("ann", &Endpoint::new(proxy.url())).await?;
    let bob = world.first_device("bob", &world.endpoint(0)).await?;
    let eve = world.first_device("eve", &world.endpoint(0)).await?;
    // Whoever follows a bare link to Bob is shown Eve.
    let eves = shown(&eve, &eve).await?;
    proxy.change("ResolveLink", move |answer: &mut pb::ResolveLinkResponse| {
        answer.owner = Some(eves.clone());
    });
    let bare: ContactLink = bob.create_link().await?.url().parse()?;
    let resolved = ann.resolve(&bare).await?;
    assert_eq!((resolved.owner, resolved.trust), (eve.user(), Trust::Unverified));
    // Bob's own screen shows something else.
    open(&bob, &ann.create_link().await?).await?;
    let bobs = bob.safety_number(ann.user()).await?;
    let compared = ann.compare_safety_number(resolved.owner, &bobs.qr_text()).await?;
    assert_eq!(compared, SafetyComparison::Mismatch(SafetyMismatch::Peer));
    assert_eq!(ann.trust(resolved.owner)?, Some(Trust::Unverified));
    let error = ann.compare_safety_number(resolved.owner, "12345").await.unwrap_err();
    assert!(matches!(error, Error::NotASafetyNumber), "{error:?}");
    Ok(())
}
