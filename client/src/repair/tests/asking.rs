//! Who may ask for what, and how often.

use plasma_e2ee::envelope_hash;
use plasma_identity::Signer;
use plasma_identity::encoding::labelled;
use plasma_proto::messaging::v1::Envelope;

use super::town::{ANN, BOB, Town};
use crate::device::Device;
use crate::id::MessageId;
use crate::not_shown::Repair;
use crate::store::control;
use crate::store::sessions;
use crate::testing::CHAT;

/// Offset of the envelope hash and of the signature in a request.
const HASH_AT: usize = 179;
const SIGNATURE_AT: usize = 219;

/// Ann has written to Bob's first device, which has lost the session: his request waits.
struct Scene {
    town: Town,
    request: Envelope,
}

impl Scene {
    async fn set(bobs: usize) -> Self {
        let mut town = Town::of(&[(ANN, 1), (BOB, bobs), (3, 1)], 10);
        town.send(0, "one").await;
        town.settle_down().await;
        town.send(1, "two").await;
        town.settle_down().await;
        town.wipe_session(1, 0);
        town.send(0, "three").await;
        town.receive_one(1).await.unwrap();
        assert_eq!(town.deliver_controls(1).await, 1);
        let request = town.queues[0].pop().unwrap();
        assert!(Town::is_request(&request));
        Self { town, request }
    }

    fn ann(&self) -> &Device {
        &self.town.devices[0]
    }

    fn with(&self, ciphertext: Vec<u8>) -> Envelope {
        Envelope { ciphertext: ciphertext.into(), ..self.request.clone() }
    }

    /// The request with other bytes in it, signed by another device.
    fn forged(&self, signer: &Device, change: impl FnOnce(&mut [u8])) -> Envelope {
        let mut bytes = self.request.ciphertext.to_vec();
        change(&mut bytes);
        let input = labelled("Plasma/v1/retry-request", &[&bytes[..SIGNATURE_AT]]);
        let signature = signer.inner.keys.sign(&input).to_bytes();
        bytes[SIGNATURE_AT..].copy_from_slice(&signature);
        self.with(bytes)
    }

    fn active(&self) -> Option<plasma_e2ee::SessionId> {
        let (ann, bob) = (self.ann(), self.town.devices[1].address());
        let load = |db: &_| sessions::load(db, ann.address(), bob);
        ann.inner.store.read(load).unwrap().active_session()
    }

    fn waiting(&self) -> bool {
        self.ann().inner.store.read(control::earliest).unwrap().is_some()
    }

    /// Ann gets the request and does nothing at all.
    async fn is_ignored(&self, request: &Envelope) {
        let before = self.active();
        // An account that cannot be refreshed here fails the receiving, which changes nothing.
        let _unreachable = self.ann().open_envelope(request).await;
        assert_eq!(self.active(), before, "the session is kept");
        assert!(!self.waiting(), "nothing is sent");
    }
}

#[tokio::test]
async fn a_request_that_comes_again_resets_nothing_twice() {
    let mut scene = Scene::set(1).await;
    let before = scene.active();
    scene.ann().open_envelope(&scene.request).await.unwrap();
    assert!(scene.active().is_none() && before.is_some(), "the session is left");
    scene.town.settle_down().await;
    let (healed, controls) = (scene.active(), scene.town.controls);
    for _ in 0..3 {
        scene.is_ignored(&scene.request).await;
    }
    assert_eq!((scene.active(), scene.town.controls), (healed, controls));
    assert_eq!(scene.town.shown(1), ["one", "three"]);
}

#[tokio::test]
async fn a_request_that_the_service_has_made_or_changed_is_refused() {
    let scene = Scene::set(1).await;
    let mut bytes = scene.request.ciphertext.to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    scene.is_ignored(&scene.with(bytes.clone())).await;
    bytes.truncate(last);
    scene.is_ignored(&scene.with(bytes)).await;
    // Bob's address and his envelope, but not his key.
    let stranger = &scene.town.devices[2];
    scene.is_ignored(&scene.forged(stranger, |_| ())).await;
    // The real one is still followed.
    scene.ann().open_envelope(&scene.request).await.unwrap();
    assert!(scene.waiting());
}

#[tokio::test]
async fn a_request_of_another_user_is_refused() {
    let scene = Scene::set(1).await;
    let stranger = &scene.town.devices[2];
    let request = scene
        .forged(stranger, |bytes| bytes[2..50].copy_from_slice(&stranger.address().to_bytes()));
    scene.is_ignored(&request).await;
}

#[tokio::test]
async fn a_request_for_another_devices_envelope_is_refused() {
    let mut scene = Scene::set(2).await;
    // The second device of Bob knows the hash of what went to the first.
    let second = scene.town.devices[2].clone();
    let theirs =
        scene.forged(&second, |bytes| bytes[2..50].copy_from_slice(&second.address().to_bytes()));
    scene.is_ignored(&theirs).await;
    // And the first one asks for what went to the second.
    let hash = envelope_hash(&scene.town.queues[2].last().unwrap().ciphertext);
    let first = scene.town.devices[1].clone();
    let other = scene.forged(&first, |bytes| bytes[HASH_AT..HASH_AT + 32].copy_from_slice(&hash));
    scene.is_ignored(&other).await;
    scene.ann().open_envelope(&scene.request).await.unwrap();
    assert!(scene.waiting());
    scene.town.settle_down().await;
    assert_eq!(scene.town.shown(1), ["one", "three"]);
    assert_eq!(scene.town.shown(2), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_revoked_device_gets_nothing_even_if_it_asked_before() {
    let mut scene = Scene::set(2).await;
    // It is removed between its request and the answer.
    scene.ann().open_envelope(&scene.request).await.unwrap();
    assert!(scene.waiting());
    scene.town.revoke(BOB, 1);
    scene.town.introduce_to(&scene.town.devices[0]);
    let before = scene.town.queues[1].len();
    assert_eq!(scene.town.deliver_controls(0).await, 0);
    assert_eq!(scene.town.queues[1].len(), before);
}

#[tokio::test]
async fn a_request_of_a_revoked_device_is_refused() {
    let mut scene = Scene::set(2).await;
    scene.town.revoke(BOB, 1);
    scene.town.introduce_to(&scene.town.devices[0]);
    scene.is_ignored(&scene.request).await;
}

#[tokio::test]
async fn a_changed_identity_gets_nothing_before_it_is_accepted() {
    let scene = Scene::set(1).await;
    let (ann, bob) = (scene.ann(), scene.town.devices[1].user());
    let fingerprint = scene.town.people[&ANN].account.fingerprint();
    let mark = |changed| {
        ann.inner
            .store
            .write(|tx| {
                let mut known = crate::store::accounts::load(tx, bob)?.unwrap();
                known.changed_from = changed;
                crate::store::accounts::save(tx, &known)
            })
            .unwrap();
    };
    mark(Some(fingerprint));
    scene.is_ignored(&scene.request).await;
    mark(None);
    ann.open_envelope(&scene.request).await.unwrap();
    assert!(scene.waiting());
}

#[tokio::test]
async fn a_removed_device_is_not_asked() {
    let mut town = Town::of(&[(ANN, 1), (BOB, 2)], 10);
    town.send(1, "one").await;
    town.settle_down().await;
    town.send(0, "two").await;
    town.settle_down().await;
    town.wipe_session(0, 1);
    town.send(1, "three").await;
    town.revoke(BOB, 1);
    town.introduce_to(&town.devices[0]);
    let events = town.receive_one(0).await.unwrap();
    let [crate::Event::Undecryptable(kept)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(kept.repair, Repair::NotPossible);
    assert_eq!(town.deliver_controls(0).await, 0);
}

#[tokio::test]
async fn an_invented_envelope_costs_one_request_and_no_session() {
    let mut scene = Scene::set(1).await;
    scene.ann().open_envelope(&scene.request).await.unwrap();
    scene.town.settle_down().await;
    scene.town.send(1, "four").await;
    scene.town.settle_down().await;
    // An hour later the session might be left for another request.
    scene.town.move_clocks(3_601);
    let before = scene.active();
    // The service changes the salt of an envelope: Bob derives other keys.
    scene.town.send(0, "five").await;
    let good = scene.town.queues[1].pop().unwrap();
    let mut bytes = good.ciphertext.to_vec();
    bytes[240] ^= 1;
    let bad = scene.with(bytes);
    let message = MessageId(uuid::Uuid::from_u128(77));
    let label = scene.town.label(0, CHAT.to_string(), message, bad.ciphertext.to_vec());
    let controls = scene.town.controls;
    scene.town.queues[1].extend([label.clone(), label, good]);
    scene.town.settle_down().await;
    assert_eq!(scene.town.controls - controls, 1, "one request, and no answer");
    assert_eq!(scene.active(), before);
    assert_eq!(scene.town.shown(1).last().unwrap(), "five");
}
