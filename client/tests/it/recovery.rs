//! The recovery key: made, confirmed, and used after a loss or a theft.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use plasma_client::{
    Device, Endpoint, Env, Error, RecoveryFailure, RecoveryKey, StopCause, Store, Trust, Uuid,
};
use plasma_e2ee::{DeviceKeys, RecoveryError};
use plasma_identity::ChainError;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use plasma_testkit::{ClusterKind, Proxy};
use tempfile::TempDir;

use crate::world::{DEVICE_SET_AGE, World, linked_in, listening, open, shown, shows, stopped};

fn failure(error: Error) -> RecoveryFailure {
    match error {
        Error::Recovery(failure) => failure,
        other => panic!("{other:?}"),
    }
}

/// A device whose person has written the recovery key down.
async fn with_kit(world: &World, name: &str, endpoint: &Endpoint) -> Result<(Device, RecoveryKey)> {
    let device = world.first_device(name, endpoint).await?;
    let key = device.create_recovery_kit().await?;
    device.confirm_recovery_kit(&key.words()).await?;
    Ok((device, key))
}

async fn recover(
    world: &World,
    endpoint: &Endpoint,
    store: Store,
    key: &RecoveryKey,
    keep: &[Uuid],
) -> Result<Device, Error> {
    let token = world.platform.user_token("bob").expect("a token");
    let tenant = world.tenant().expect("a tenant");
    Device::recover(endpoint, store, tenant, &token, key, keep).await
}

/// The private keys of a device, as somebody who has stolen it has them.
fn stolen_keys(store: &Path) -> Result<DeviceKeys> {
    let database = rusqlite::Connection::open(store)?;
    let bytes: Vec<u8> = database.query_row("SELECT keys FROM own_device", [], |row| row.get(0))?;
    Ok(DeviceKeys::from_bytes(&bytes)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_leaves_the_device_once_the_words_are_typed_back() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let bob = world.first_device("bob", &world.endpoint(0)).await?;
    let older = bob.create_recovery_kit().await?;
    let key = bob.create_recovery_kit().await?;
    assert!(plasma_client::qr::svg(&key.qr_text())?.contains("<svg"));
    let refused = failure(bob.confirm_recovery_kit("these are no words").await.unwrap_err());
    assert_eq!(refused, RecoveryFailure::Words(RecoveryError::WordCount(4)));
    let refused = failure(bob.confirm_recovery_kit(&older.words()).await.unwrap_err());
    assert_eq!(refused, RecoveryFailure::Words(RecoveryError::WrongKey), "a kit that was replaced");
    assert!(bob.holds_root()?);
    bob.confirm_recovery_kit(&key.words().to_uppercase()).await?;
    assert!(!bob.holds_root()?);
    let refused = failure(bob.create_recovery_kit().await.unwrap_err());
    assert_eq!(refused, RecoveryFailure::RootGone);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_lost_every_device_comes_back_with_the_key() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let world = World::start(kind).await?;
        let (left, right) = (world.endpoint(0), world.endpoint(1));
        let ann = world.first_device("ann", &left).await?;
        let (bob, key) = with_kit(&world, "bob", &right).await?;
        let chat = open(&ann, &bob.create_link().await?).await?;
        let (user, fingerprint) = (bob.user(), bob.own_account()?.fingerprint());
        drop(bob);

        let wrong = RecoveryKey::generate(&mut Env::system().rng());
        let refused = recover(&world, &left, Store::in_memory()?, &wrong, &[]).await.unwrap_err();
        assert_eq!(failure(refused), RecoveryFailure::Words(RecoveryError::WrongKey));

        let typed = RecoveryKey::from_words(&key.words())?;
        let back = recover(&world, &left, Store::in_memory()?, &typed, &[]).await?;
        assert_eq!((back.user(), back.own_account()?.fingerprint()), (user, fingerprint));
        assert_eq!(back.own_account()?.generation(), 1);
        assert!(!back.holds_root()?);
        assert_eq!(back.devices()?.len(), 1);
        assert_eq!(back.chats().await?.len(), 1, "{kind:?}");
        tokio::time::sleep(DEVICE_SET_AGE).await;
        assert_eq!(ann.send_text(chat, "welcome back").await?.deliveries.len(), 1);
        assert_eq!(ann.trust(user)?, Some(Trust::Verified), "the same root: no warning");
        back.pull_once(Duration::from_secs(5)).await?;
        shows(&back, chat, &["welcome back"]).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_kit_or_with_another_ones_there_is_no_recovery() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let bob = world.first_device("bob", &endpoint).await?;
    let (eve, key) = with_kit(&world, "eve", &endpoint).await?;
    let refused = recover(&world, &endpoint, Store::in_memory()?, &key, &[]).await.unwrap_err();
    assert_eq!(failure(refused), RecoveryFailure::NoKit);
    // The service hands out Eve's kit as Bob's, and her key opens it: another root is not Bob's.
    bob.create_recovery_kit().await?;
    let operation = |channel, request| async move {
        DeviceServiceClient::new(channel).get_recovery_kit(request).await
    };
    let kit = eve.call(pb::GetRecoveryKitRequest {}, operation).await?.recovery_kit;
    let proxy = Proxy::start(world.cluster.node(0).channel()?).await?;
    proxy.change("GetRecoveryKit", move |answer: &mut pb::GetRecoveryKitResponse| {
        answer.recovery_kit = kit.clone();
    });
    let store = Store::in_memory()?;
    let refused = recover(&world, &Endpoint::new(proxy.url()), store, &key, &[]).await.unwrap_err();
    let other = matches!(refused, Error::Identity { cause: ChainError::WrongRoot, .. });
    assert!(other, "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_whose_answer_is_lost_goes_on_as_the_same_device() -> Result<()> {
    let world = World::start(ClusterKind::Embedded).await?;
    let endpoint = world.endpoint(0);
    let (_, key) = with_kit(&world, "bob", &endpoint).await?;
    let proxy = Proxy::start(world.cluster.node(0).channel()?).await?;
    proxy.change("StartGeneration", |answer: &mut pb::StartGenerationResponse| {
        answer.account = None;
    });
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bob.sqlite");
    let lost = recover(&world, &Endpoint::new(proxy.url()), Store::open(&path)?, &key, &[]).await;
    assert!(matches!(lost, Err(Error::Answer("account"))), "{lost:?}");
    let back = recover(&world, &endpoint, Store::open(&path)?, &key, &[]).await?;
    let own = back.own_account()?;
    assert_eq!((own.generation(), own.devices().len()), (1, 1));
    assert_eq!(own.devices()[0].address(), back.address());
    Ok(())
}

/// Bob's phone and tablet, and a laptop that may approve and was stolen; Ann knows all three.
struct Theft {
    world: World,
    ann: Device,
    phone: Device,
    tablet: Device,
    laptop: Device,
    key: RecoveryKey,
    laptop_store: PathBuf,
    _folder: TempDir,
}

impl Theft {
    async fn happens(kind: ClusterKind) -> Result<Self> {
        let world = World::start(kind).await?;
        let (left, right) = (world.endpoint(0), world.endpoint(1));
        let folder = tempfile::tempdir()?;
        let laptop_store = folder.path().join("laptop.sqlite");
        let ann = world.first_device("ann", &left).await?;
        let (phone, key) = with_kit(&world, "bob", &left).await?;
        let tablet = world.linked("bob", &phone, &right).await?;
        let store = Store::open(&laptop_store)?;
        let laptop = linked_in(&world.platform, "bob", &phone, &right, store).await?;
        Ok(Self { world, ann, phone, tablet, laptop, key, laptop_store, _folder: folder })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_approver_that_took_the_account_over_is_cut_off() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let theft = Theft::happens(kind).await?;
        let (world, ann, laptop) = (&theft.world, &theft.ann, &theft.laptop);
        let chat = open(ann, &theft.phone.create_link().await?).await?;
        assert_eq!(ann.send_text(chat, "one").await?.deliveries.len(), 3);
        // The thief removes the others and is alone in the account.
        laptop.revoke_device(theft.phone.address().device).await?;
        laptop.revoke_device(theft.tablet.address().device).await?;
        let ghost = world.linked("bob", laptop, &world.endpoint(0)).await?;
        tokio::time::sleep(DEVICE_SET_AGE).await;
        assert_eq!(ann.send_text(chat, "two").await?.deliveries.len(), 2);

        let mut thiefs = listening(laptop).await;
        let back = recover(world, &world.endpoint(1), Store::in_memory()?, &theft.key, &[]).await?;
        let (cause, took) = stopped(&mut thiefs).await;
        assert!(took < Duration::from_secs(5), "{kind:?}: {took:?}");
        assert!(matches!(cause, StopCause::Unrecognised), "{cause:?}");
        assert!(ghost.pull(Duration::ZERO).await.is_err());
        assert!(laptop.revoke_device(back.address().device).await.is_err());

        tokio::time::sleep(DEVICE_SET_AGE).await;
        assert_eq!(ann.send_text(chat, "three").await?.deliveries.len(), 1, "{kind:?}");
        assert_eq!(ann.trust(back.user())?, Some(Trust::Verified));
        back.pull_once(Duration::from_secs(5)).await?;
        shows(&back, chat, &["three"]).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_approver_is_cut_off_by_a_device_that_is_left() -> Result<()> {
    let theft = Theft::happens(ClusterKind::Scaled).await?;
    let (ann, phone, tablet) = (&theft.ann, &theft.phone, &theft.tablet);
    let chat = open(ann, &phone.create_link().await?).await?;
    let mut thiefs = listening(&theft.laptop).await;
    let unknown = Uuid::from_u128(7);
    let refused = failure(phone.cut_off(&theft.key, &[unknown]).await.unwrap_err());
    assert_eq!(refused, RecoveryFailure::UnknownDevice(unknown));
    phone.cut_off(&theft.key, &[tablet.address().device]).await?;
    assert!(stopped(&mut thiefs).await.1 < Duration::from_secs(5));
    let mut left: Vec<_> = phone.devices()?.into_iter().map(|device| device.id).collect();
    let mut expected = vec![phone.address().device, tablet.address().device];
    left.sort_unstable();
    expected.sort_unstable();
    assert_eq!(left, expected);
    tokio::time::sleep(DEVICE_SET_AGE).await;
    assert_eq!(ann.send_text(chat, "hello").await?.deliveries.len(), 2);
    assert_eq!(ann.trust(phone.user())?, Some(Trust::Verified));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_that_races_the_recovery_loses() -> Result<()> {
    for kind in ClusterKind::BOTH {
        let theft = Theft::happens(kind).await?;
        let (laptop, keys) = (theft.laptop.clone(), stolen_keys(&theft.laptop_store)?);
        let root = theft.laptop.own_account()?;
        // As fast as the service answers.
        let racing = tokio::spawn(async move {
            let mut renewed = 0;
            let mut account = root;
            loop {
                let now = Env::system().now_seconds();
                let manifest = keys.renew(&account, now).unwrap();
                let request = pb::RenewManifestRequest { manifest: manifest.to_bytes().into() };
                let answer = laptop.call(request, |channel, request| async move {
                    DeviceServiceClient::new(channel).renew_manifest(request).await
                });
                if answer.await.is_err() {
                    return renewed;
                }
                account.advance(&[manifest], &[], now).unwrap();
                renewed += 1;
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let endpoint = theft.world.endpoint(0);
        let keep = [theft.phone.address().device];
        let back = recover(&theft.world, &endpoint, Store::in_memory()?, &theft.key, &keep).await?;
        assert!(racing.await? > 0, "the thief raced");
        let own = back.own_account()?;
        assert_eq!((own.generation(), own.devices().len()), (1, 2), "{kind:?}");
        assert!(own.device(theft.laptop.address().device).is_none());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_thief_signs_with_the_services_help_is_refused_after_the_roots_word() -> Result<()> {
    let theft = Theft::happens(ClusterKind::Embedded).await?;
    let proxy = Proxy::start(theft.world.cluster.node(0).channel()?).await?;
    let ann = theft.world.first_device("amy", &Endpoint::new(proxy.url())).await?;
    let chat = open(&ann, &theft.phone.create_link().await?).await?;
    ann.send_text(chat, "one").await?;
    let (before, own) = (shown(&ann, &theft.phone).await?, shown(&ann, &ann).await?);
    // The thief's manifest on the old branch removes the phone; two of them contradict each other.
    let keys = stolen_keys(&theft.laptop_store)?;
    let account = theft.laptop.own_account()?;
    let now = Env::system().now_seconds();
    let remove = |device: &Device| keys.revoke(&account, device.address().device, now);
    let (one, other) = (remove(&theft.phone)?, remove(&theft.tablet)?);
    let branch = move |manifest: &plasma_identity::Manifest| {
        let mut shown = before.clone();
        shown.manifests.push(manifest.to_bytes().into());
        shown
    };
    let lie = |peer: pb::AccountState| {
        let own = own.clone();
        proxy.change("Send", move |answer: &mut pb::SendResponse| {
            let mismatch = pb::DeviceMismatch {
                own_account: Some(own.clone()),
                peer_account: Some(peer.clone()),
                ..pb::DeviceMismatch::default()
            };
            answer.outcome = Some(pb::send_response::Outcome::Mismatch(mismatch));
        });
    };
    let cause = |error: Error| match error {
        Error::Identity { cause, .. } => cause,
        other => panic!("{other:?}"),
    };
    lie(branch(&one));
    let unstable = ann.send_text(chat, "two").await.unwrap_err();
    assert!(
        matches!(unstable, Error::DeviceSetUnstable),
        "a manifest of an approver: {unstable:?}"
    );
    lie(branch(&other));
    assert_eq!(cause(ann.send_text(chat, "three").await.unwrap_err()), ChainError::Forked);

    theft.phone.cut_off(&theft.key, &[theft.tablet.address().device]).await?;
    let after = shown(&ann, &theft.phone).await?;
    lie(after);
    let unstable = ann.send_text(chat, "four").await.unwrap_err();
    assert!(matches!(unstable, Error::DeviceSetUnstable), "the root's word counts: {unstable:?}");
    let known = ann.verified_account(theft.phone.user())?.expect("Bob's account");
    assert!(known.device(theft.laptop.address().device).is_none());
    lie(branch(&one));
    assert_eq!(cause(ann.send_text(chat, "five").await.unwrap_err()), ChainError::RolledBack);
    Ok(())
}
