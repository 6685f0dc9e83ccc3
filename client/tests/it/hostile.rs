//! A service that lies. Each lie is found out by the device, with its own reason.

use std::time::Duration;

use anyhow::Result;
use plasma_client::{
    ChatId, ContactLink, Device, Endpoint, Error, Event, MessageState, Trust, UndecryptableReason,
};
use plasma_identity::ChainError;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::key_service_client::KeyServiceClient;
use plasma_proto::messaging::v1::link_service_client::LinkServiceClient;
use plasma_proto::messaging::v1::send_response::Outcome;
use plasma_testkit::{ClusterKind, Proxy};

use crate::world::{World, open, shows, texts};

/// Ann behind the lying service; Bob and Eve at the honest one.
struct Scene {
    world: World,
    proxy: Proxy,
    ann: Device,
    bob: Device,
    eve: Device,
}

impl Scene {
    async fn set() -> Result<Self> {
        let world = World::start(ClusterKind::Embedded).await?;
        let proxy = Proxy::start(world.cluster.node(0).channel()?).await?;
        let ann = world.first_device("ann", &Endpoint::new(proxy.url())).await?;
        let bob = world.first_device("bob", &world.endpoint(0)).await?;
        let eve = world.first_device("eve", &world.endpoint(0)).await?;
        Ok(Self { world, proxy, ann, bob, eve })
    }

    async fn chat(&self) -> Result<ChatId> {
        open(&self.ann, &self.bob.create_link().await?).await
    }
}

/// What the service says about a user to somebody who resolves its link.
async fn shown_account(viewer: &Device, owner: &Device) -> Result<pb::AccountState> {
    let request = pb::ResolveLinkRequest { link_token: owner.create_link().await?.token().into() };
    let answer = viewer
        .call(request, |channel, request| async move {
            LinkServiceClient::new(channel).resolve_link(request).await
        })
        .await?;
    Ok(answer.owner.expect("an owner"))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_behind_a_link_is_refused_by_the_fingerprint() -> Result<()> {
    let scene = Scene::set().await?;
    let eves = shown_account(&scene.bob, &scene.eve).await?;
    scene.proxy.change("ResolveLink", move |answer: &mut pb::ResolveLinkResponse| {
        answer.owner = Some(eves.clone());
    });
    let link = scene.bob.create_link().await?;
    let error = scene.ann.resolve(&link).await.unwrap_err();
    assert!(matches!(error, Error::FingerprintMismatch { .. }), "{error:?}");
    // Without the fragment the service's word is all there is, and the device says so.
    let bare: ContactLink = link.url().parse()?;
    assert_eq!(scene.ann.resolve(&bare).await?.trust, Trust::Unverified);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_root_for_the_same_user_is_refused_by_the_fingerprint() -> Result<()> {
    let scene = Scene::set().await?;
    let eves = shown_account(&scene.bob, &scene.eve).await?;
    scene.proxy.change("ResolveLink", move |answer: &mut pb::ResolveLinkResponse| {
        let owner = answer.owner.as_mut().unwrap();
        owner.root_public_key = eves.root_public_key.clone();
    });
    let link = scene.bob.create_link().await?;
    let error = scene.ann.resolve(&link).await.unwrap_err();
    assert!(matches!(error, Error::FingerprintMismatch { .. }), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swapped_key_bundle_is_found_out_and_nothing_is_sent() -> Result<()> {
    let scene = Scene::set().await?;
    let chat = scene.chat().await?;
    // The service answers with prekeys that another device has signed.
    open(&scene.bob, &scene.eve.create_link().await?).await?;
    let request = pb::TakePrekeyBundlesRequest {
        user: Some(plasma_client::wire::user(scene.eve.user())),
        device_ids: vec![plasma_proto::id::format("device", scene.eve.address().device.as_u128())],
    };
    let eves = scene
        .bob
        .call(request, |channel, request| async move {
            KeyServiceClient::new(channel).take_prekey_bundles(request).await
        })
        .await?
        .bundles
        .remove(0);
    scene.proxy.change("TakePrekeyBundles", move |answer: &mut pb::TakePrekeyBundlesResponse| {
        for bundle in &mut answer.bundles {
            let device_id = std::mem::take(&mut bundle.device_id);
            *bundle = pb::PrekeyBundle { device_id, ..eves.clone() };
        }
    });
    let error = scene.ann.send_text(chat, "secret").await.unwrap_err();
    assert!(matches!(error, Error::Bundle { .. }), "{error:?}");
    assert_eq!(scene.ann.history(chat)?[0].state, MessageState::Failed);
    assert_eq!(scene.bob.pull(Duration::ZERO).await?.envelopes(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ghost_device_in_the_peers_account_is_found_out() -> Result<()> {
    let scene = Scene::set().await?;
    let chat = scene.chat().await?;
    scene.ann.send_text(chat, "one").await?;
    // The service demands an envelope for a device of Eve's as if it were Bob's.
    let eves = shown_account(&scene.bob, &scene.eve).await?;
    let bobs = shown_account(&scene.eve, &scene.bob).await?;
    let ghost = eves.certificates[0].clone();
    let own = shown_account(&scene.bob, &scene.ann).await?;
    scene.proxy.change("Send", move |answer: &mut pb::SendResponse| {
        let mut peer = bobs.clone();
        peer.certificates.push(ghost.clone());
        peer.manifests.push(eves.manifests[0].clone());
        answer.outcome = Some(Outcome::Mismatch(pb::DeviceMismatch {
            missing_device_ids: Vec::new(),
            extra_device_ids: Vec::new(),
            own_account: Some(own.clone()),
            peer_account: Some(peer),
        }));
    });
    let error = scene.ann.send_text(chat, "two").await.unwrap_err();
    assert!(
        matches!(error, Error::Identity { user, cause: ChainError::WrongUser } if user == scene.bob.user()),
        "{error:?}"
    );
    assert_eq!(scene.ann.verified_account(scene.bob.user())?.unwrap().devices().len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_keeps_demanding_other_devices_gets_none() -> Result<()> {
    let scene = Scene::set().await?;
    let chat = scene.chat().await?;
    let bobs = shown_account(&scene.eve, &scene.bob).await?;
    let own = shown_account(&scene.bob, &scene.ann).await?;
    scene.proxy.change("Send", move |answer: &mut pb::SendResponse| {
        answer.outcome = Some(Outcome::Mismatch(pb::DeviceMismatch {
            missing_device_ids: Vec::new(),
            extra_device_ids: Vec::new(),
            own_account: Some(own.clone()),
            peer_account: Some(bobs.clone()),
        }));
    });
    let error = scene.ann.send_text(chat, "two").await.unwrap_err();
    assert!(matches!(error, Error::DeviceSetUnstable), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_was_replaced_does_not_come_back() -> Result<()> {
    let scene = Scene::set().await?;
    let before = shown_account(&scene.eve, &scene.bob).await?;
    scene.world.linked("bob", &scene.bob, &scene.world.endpoint(0)).await?;
    let link = scene.bob.create_link().await?;
    assert_eq!(scene.ann.resolve(&link).await?.trust, Trust::Verified);
    assert_eq!(scene.ann.verified_account(scene.bob.user())?.unwrap().devices().len(), 2);
    scene.proxy.change("ResolveLink", move |answer: &mut pb::ResolveLinkResponse| {
        answer.owner = Some(before.clone());
    });
    let error = scene.ann.resolve(&link).await.unwrap_err();
    assert!(matches!(error, Error::Identity { cause: ChainError::RolledBack, .. }), "{error:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relabelled_envelope_is_told_and_shown_where_it_belongs() -> Result<()> {
    let scene = Scene::set().await?;
    let chat = scene.chat().await?;
    let other = open(&scene.eve, &scene.ann.create_link().await?).await?;
    scene.bob.send_text(chat, "from Bob").await?;
    let label = other.to_string();
    scene.proxy.change("Pull", move |answer: &mut pb::PullResponse| {
        for envelope in &mut answer.envelopes {
            envelope.chat_id.clone_from(&label);
        }
    });
    let events = scene.ann.pull_once(Duration::from_secs(5)).await?;
    assert!(matches!(&events[..], [Event::Relabelled { .. }, Event::Message(_)]), "{events:?}");
    shows(&scene.ann, chat, &["from Bob"]).await;
    assert!(texts(&scene.ann, other).is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn replayed_and_changed_envelopes_show_nothing_twice() -> Result<()> {
    let scene = Scene::set().await?;
    let chat = scene.chat().await?;
    scene.bob.send_text(chat, "once").await?;
    scene.proxy.change("Pull", |answer: &mut pb::PullResponse| {
        let again = answer.envelopes.clone();
        answer.envelopes.extend(again.iter().cloned());
        for mut changed in again {
            let mut bytes = changed.ciphertext.to_vec();
            let middle = bytes.len() - 40;
            bytes[middle] ^= 0x10;
            changed.ciphertext = bytes.into();
            changed.envelope_id = plasma_proto::id::format("env", 77);
            changed.message_id = plasma_proto::id::format("msg", 77);
            answer.envelopes.push(changed);
        }
    });
    let events = scene.ann.pull_once(Duration::from_secs(5)).await?;
    let reasons: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Undecryptable(undecryptable) => Some(undecryptable.reason),
            _ => None,
        })
        .collect();
    assert_eq!(texts(&scene.ann, chat), ["once"]);
    assert_eq!(reasons.len(), 1, "{events:?}");
    assert!(matches!(reasons[0], UndecryptableReason::Protocol(_)));
    Ok(())
}
