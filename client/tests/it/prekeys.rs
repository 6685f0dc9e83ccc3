//! The life of a device's prekeys at the service.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use plasma_client::{Device, Endpoint, Env, Event, Store, wire};
use plasma_e2ee::{ONE_TIME_EC_PREKEYS, ONE_TIME_KEM_PREKEYS};
use plasma_identity::SignedPrekey;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::key_service_client::KeyServiceClient;
use plasma_testkit::{ClusterKind, Proxy};

use crate::world::{SOON, World, open, shows, until};

/// The prekeys that a device keeps: role, id and private half.
fn kept(path: &Path) -> Result<Vec<(i64, i64, Vec<u8>)>> {
    let database = rusqlite::Connection::open(path)?;
    database.busy_timeout(SOON)?;
    let mut statement =
        database.prepare("SELECT role, id, private FROM prekey ORDER BY role, id")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

async fn left(device: &Device) -> Result<(u32, u32)> {
    let counts = device
        .call(pb::CountPrekeysRequest {}, |channel, request| async move {
            KeyServiceClient::new(channel).count_prekeys(request).await
        })
        .await?;
    Ok((counts.one_time_prekey_count, counts.one_time_kem_prekey_count))
}

async fn bundle(of: &Device, asker: &Device) -> Result<pb::PrekeyBundle> {
    let request = pb::TakePrekeyBundlesRequest {
        user: Some(wire::user(of.user())),
        device_ids: vec![plasma_proto::id::format("device", of.address().device.as_u128())],
    };
    let answer = asker
        .call(request, |channel, request| async move {
            KeyServiceClient::new(channel).take_prekey_bundles(request).await
        })
        .await?;
    answer.bundles.into_iter().next().context("a bundle")
}

/// Registers a device whose prekeys do not get through, and lets it go on in another process.
async fn published_after(hinder: fn(&Proxy)) -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let proxy = Proxy::start(world.cluster.node(0).channel()?).await?;
    let endpoint = Endpoint::new(proxy.url()).patience(Duration::ZERO);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bob.sqlite");
    hinder(&proxy);
    let failed = world.first_device_in("bob", &endpoint, Store::open(&path)?).await;
    assert!(failed.is_err(), "the upload is not confirmed");
    let before = kept(&path)?;
    let one_time = ONE_TIME_EC_PREKEYS + ONE_TIME_KEM_PREKEYS;
    assert!(before.len() >= one_time as usize, "kept before they are shown");

    proxy.restore("PublishPrekeys");
    let bob = Device::open(&endpoint, Store::open(&path)?)?;
    bob.publish_prekeys().await?;
    assert_eq!(kept(&path)?, before, "the same set");
    assert_eq!(left(&bob).await?, (ONE_TIME_EC_PREKEYS, ONE_TIME_KEM_PREKEYS));
    // Each key at the service has its private half here.
    let ann = world.first_device("ann", &world.endpoint(0)).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    ann.send_text(chat, "hello").await?;
    bob.pull_once(Duration::from_secs(5)).await?;
    shows(&bob, chat, &["hello"]).await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn prekeys_whose_upload_was_not_answered_are_published_again_the_same() -> Result<()> {
    published_after(|proxy| proxy.lose("PublishPrekeys")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn prekeys_that_were_kept_and_not_uploaded_are_published_by_the_next_process() -> Result<()> {
    published_after(|proxy| proxy.hold("PublishPrekeys")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connected_device_tops_up_when_its_keys_are_used() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let ann = world.first_device("ann", &endpoint).await?;
    let bob = world.first_device("bob", &endpoint).await?;
    let chat = open(&ann, &bob.create_link().await?).await?;
    let mut bobs = bob.receive();
    until(&mut bobs, |event| matches!(event, Event::QueueEmpty)).await;
    // What came up while connecting is over.
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..17 {
        bundle(&bob, &ann).await?;
    }
    assert_eq!(left(&bob).await?.1, 3);
    ann.send_text(chat, "hello").await?;
    let begun = Instant::now();
    while left(&bob).await?.1 < ONE_TIME_KEM_PREKEYS {
        assert!(begun.elapsed() < SOON, "{:?} are left", left(&bob).await?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_and_last_resort_keys_are_replaced_weekly() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let env = Env::system();
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bob.sqlite");
    let endpoint = world.endpoint(0).env(env.clone());
    let ann = world.first_device("ann", &world.endpoint(0)).await?;
    let bob = world.first_device_in("bob", &endpoint, Store::open(&path)?).await?;
    open(&ann, &bob.create_link().await?).await?;
    let before = SignedPrekey::from_bytes(&bundle(&bob, &ann).await?.signed_prekey)?;
    bob.publish_prekeys().await?;
    let same = SignedPrekey::from_bytes(&bundle(&bob, &ann).await?.signed_prekey)?;
    assert_eq!(same.id(), before.id());
    env.move_clock(8 * 86_400 * 1_000_000);
    bob.publish_prekeys().await?;
    let after = SignedPrekey::from_bytes(&bundle(&bob, &ann).await?.signed_prekey)?;
    assert!(after.id() > before.id());
    let old = kept(&path)?;
    assert!(old.iter().any(|(_, id, _)| *id == i64::from(before.id())), "the old one lives on");
    Ok(())
}
