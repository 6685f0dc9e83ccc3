//! A service that lies to a device that joins, or to its approver.

use anyhow::Result;
use plasma_client::{Device, Endpoint, Env, Error, LinkingFailure, PendingLinking, Store};
use plasma_e2ee::LinkingApprover;
use plasma_identity::ChainError;
use plasma_proto::messaging::v1 as pb;
use plasma_testkit::{ClusterKind, Proxy};

use crate::world::{World, pending_in, shown};

/// Ann's first device at the honest service, and a lying one.
struct Scene {
    world: World,
    proxy: Proxy,
    ann: Device,
}

impl Scene {
    async fn set() -> Result<Self> {
        let world = World::start(ClusterKind::Embedded).await?;
        let proxy = Proxy::start(world.cluster.node(0).channel()?).await?;
        let ann = world.first_device("ann", &world.endpoint(0)).await?;
        Ok(Self { world, proxy, ann })
    }

    /// A new device of Ann's behind the lying service.
    async fn pending(&self) -> Result<PendingLinking> {
        let store = Store::in_memory()?;
        pending_in(&self.world.platform, "ann", &Endpoint::new(self.proxy.url()), store).await
    }

    /// What becomes of it when Ann says yes.
    async fn completed(&self, pending: PendingLinking) -> Error {
        let approval = self.ann.scan_linking(&pending.qr_text()).await.unwrap();
        let approving = tokio::spawn(Box::pin(approval.approve(true)));
        let device = Box::pin(pending.complete()).await;
        // It would wait for a request until the code expires.
        approving.abort();
        device.unwrap_err()
    }

    async fn shown(&self) -> Result<pb::AccountState> {
        shown(&self.ann, &self.ann).await
    }
}

fn is_tampered(error: &Error) -> bool {
    matches!(error, Error::Linking(LinkingFailure::Tampered(_)))
}

/// Changes the nth message that comes through.
fn spoil(proxy: &Proxy, nth: usize) {
    let mut seen = 0;
    proxy.change("AwaitLinkingMessage", move |answer: &mut pb::AwaitLinkingMessageResponse| {
        if answer.ciphertext.is_empty() {
            return;
        }
        seen += 1;
        if seen == nth {
            let mut bytes = answer.ciphertext.to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            answer.ciphertext = bytes.into();
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_the_relay_changes_is_refused() -> Result<()> {
    let scene = Scene::set().await?;
    // Nothing is changed: the control.
    spoil(&scene.proxy, 3);
    let pending = scene.pending().await?;
    let approval = scene.ann.scan_linking(&pending.qr_text()).await?;
    let (device, approved) =
        tokio::join!(Box::pin(pending.complete()), Box::pin(approval.approve(true)));
    approved?;
    device?;
    for nth in [1, 2] {
        spoil(&scene.proxy, nth);
        let error = scene.completed(scene.pending().await?).await;
        assert!(is_tampered(&error), "message {nth} to the new device: {error:?}");
    }
    // The approver behind the relay: the request.
    let behind = scene.world.linked("ann", &scene.ann, &Endpoint::new(scene.proxy.url())).await?;
    spoil(&scene.proxy, 1);
    let pending = scene.world.pending("ann", &scene.world.endpoint(0)).await?;
    let mut approval = behind.scan_linking(&pending.qr_text()).await?;
    let _waits = tokio::spawn(Box::pin(pending.complete()));
    let error = approval.details().await.unwrap_err();
    assert!(is_tampered(&error), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_users_device_cannot_answer_even_where_the_service_helps_it() -> Result<()> {
    let scene = Scene::set().await?;
    let eve = scene.world.first_device("eve", &scene.world.endpoint(0)).await?;
    let mut pending = scene.pending().await?;
    // Eve has seen the code.
    let account = eve.own_account()?.fingerprint();
    let rng = &mut Env::system().rng();
    let (_, hello) = LinkingApprover::scan(&pending.qr_text(), eve.user(), account, rng)?;
    scene.proxy.change(
        "AwaitLinkingMessage",
        move |answer: &mut pb::AwaitLinkingMessageResponse| {
            answer.ciphertext = hello.clone().into();
        },
    );
    let error = pending.check_code().await.unwrap_err();
    assert!(is_tampered(&error), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_the_new_device_is_refused() -> Result<()> {
    let scene = Scene::set().await?;
    let before = scene.shown().await?;
    scene.proxy.change("GetAccount", move |answer: &mut pb::GetAccountResponse| {
        answer.account = Some(before.clone());
    });
    let error = scene.completed(scene.pending().await?).await;
    assert!(matches!(error, Error::Linking(LinkingFailure::NotListed)), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_device_in_the_account_that_was_joined_is_refused() -> Result<()> {
    let scene = Scene::set().await?;
    let eve = scene.world.first_device("eve", &scene.world.endpoint(0)).await?;
    let eves = shown(&eve, &eve).await?;
    scene.proxy.change("GetAccount", move |answer: &mut pb::GetAccountResponse| {
        let account = answer.account.as_mut().unwrap();
        account.certificates.push(eves.certificates[0].clone());
        account.manifests.push(eves.manifests[0].clone());
    });
    let error = scene.completed(scene.pending().await?).await;
    let refused = matches!(error, Error::Identity { cause: ChainError::WrongUser, .. });
    assert!(refused, "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_in_the_place_of_the_approvers_is_refused() -> Result<()> {
    let scene = Scene::set().await?;
    let eve = scene.world.first_device("eve", &scene.world.endpoint(0)).await?;
    let eves = shown(&eve, &eve).await?;
    scene.proxy.change("GetAccount", move |answer: &mut pb::GetAccountResponse| {
        answer.account.as_mut().unwrap().root_public_key = eves.root_public_key.clone();
    });
    let error = scene.completed(scene.pending().await?).await;
    assert!(matches!(error, Error::FingerprintMismatch { .. }), "{error:?}");
    Ok(())
}
