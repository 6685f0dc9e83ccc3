//! Whom a device takes somebody for.

use plasma_identity::{ChainError, SafetyComparison, SafetyMismatch};

use super::{claimed, learn_as};
use crate::device::Trust;
use crate::error::Error;
use crate::store::Store;
use crate::store::contacts::{self, ToldContact};
use crate::testing::{acquaint, device};

#[tokio::test]
async fn a_changed_identity_blocks_sending_until_exactly_it_is_accepted() {
    let ann = device(1, Store::in_memory().unwrap());
    let (bob, reset) =
        (device(2, Store::in_memory().unwrap()), device(2, Store::in_memory().unwrap()));
    acquaint(&ann, &bob);
    let before = bob.own_account().unwrap().fingerprint();
    let now = reset.own_account().unwrap().fingerprint();
    ann.verify_identity(bob.user(), before).unwrap();
    assert_eq!(ann.trust(bob.user()).unwrap(), Some(Trust::Verified));

    let learned = learn_as(&ann, &claimed(&reset), None).unwrap();
    assert_eq!(learned.changed_now, Some(before));
    assert_eq!(ann.trust(bob.user()).unwrap(), Some(Trust::Changed { before, now }));
    let refused = ann.sendable_account(bob.user()).await.unwrap_err();
    assert!(matches!(refused, Error::IdentityChanged { now: shown, .. } if shown == now));
    let refused = ann.accept_identity(bob.user(), before).unwrap_err();
    assert!(matches!(refused, Error::FingerprintMismatch { .. }));
    ann.accept_identity(bob.user(), now).unwrap();
    assert_eq!(ann.trust(bob.user()).unwrap(), Some(Trust::Unverified));
    assert_eq!(ann.sendable_account(bob.user()).await.unwrap().fingerprint(), now);
}

#[tokio::test]
async fn an_identity_that_comes_back_brings_no_older_list_of_devices() {
    let ann = device(1, Store::in_memory().unwrap());
    let (bob, other) =
        (device(2, Store::in_memory().unwrap()), device(2, Store::in_memory().unwrap()));
    acquaint(&ann, &bob);
    let older = claimed(&bob);
    let before = bob.own_account().unwrap();
    let now = bob.inner.env.now_seconds();
    let renewed = bob.inner.keys.renew(&before, now + 1).unwrap();
    let mut newer = older.clone();
    newer.manifests.push(renewed);
    learn_as(&ann, &newer, None).unwrap();

    learn_as(&ann, &claimed(&other), None).unwrap();
    let error = learn_as(&ann, &older, None).unwrap_err();
    assert!(matches!(error, Error::Identity { cause: ChainError::RolledBack, .. }), "{error:?}");
    // The list that was known is taken, and is no change from what the person accepted.
    learn_as(&ann, &newer, None).unwrap();
    assert_eq!(ann.trust(bob.user()).unwrap(), Some(Trust::Unverified));
}

#[tokio::test]
async fn the_own_account_is_never_replaced() {
    let ann = device(1, Store::in_memory().unwrap());
    let impostor = device(1, Store::in_memory().unwrap());
    let error = learn_as(&ann, &claimed(&impostor), None).unwrap_err();
    assert!(matches!(error, Error::Identity { cause: ChainError::WrongRoot, .. }), "{error:?}");
}

#[tokio::test]
async fn another_users_account_is_not_taken_for_the_one_asked_for() {
    let ann = device(1, Store::in_memory().unwrap());
    let (bob, eve) =
        (device(2, Store::in_memory().unwrap()), device(3, Store::in_memory().unwrap()));
    let mut eves = claimed(&eve);
    eves.user = bob.user();
    let error = learn_as(&ann, &eves, None).unwrap_err();
    assert!(matches!(error, Error::Identity { cause: ChainError::WrongUser, .. }), "{error:?}");
    assert_eq!(ann.trust(bob.user()).unwrap(), None);
}

#[tokio::test]
async fn both_sides_compare_the_same_number_and_a_match_verifies() {
    let ann = device(1, Store::in_memory().unwrap());
    let (bob, eve) =
        (device(2, Store::in_memory().unwrap()), device(2, Store::in_memory().unwrap()));
    acquaint(&ann, &bob);
    let shown = ann.safety_number(bob.user()).await.unwrap();
    let theirs = bob.safety_number(ann.user()).await.unwrap();
    assert_eq!(shown.digits(), theirs.digits());
    // What somebody in Bob's place would show.
    learn_as(&eve, &claimed(&ann), None).unwrap();
    let eves = eve.safety_number(ann.user()).await.unwrap();
    let compared = ann.compare_safety_number(bob.user(), &eves.qr_text()).await.unwrap();
    assert_eq!(compared, SafetyComparison::Mismatch(SafetyMismatch::Peer));
    assert_eq!(ann.trust(bob.user()).unwrap(), Some(Trust::Unverified));
    let error = ann.compare_safety_number(bob.user(), "plasma-link:1:x").await.unwrap_err();
    assert!(matches!(error, Error::NotASafetyNumber));

    let compared = ann.compare_safety_number(bob.user(), &theirs.qr_text()).await.unwrap();
    assert_eq!(compared, SafetyComparison::Match);
    assert_eq!(ann.trust(bob.user()).unwrap(), Some(Trust::Verified));
}

#[tokio::test]
async fn what_the_approver_knew_is_held_against_what_the_service_shows() {
    let (bob, impostor) =
        (device(2, Store::in_memory().unwrap()), device(2, Store::in_memory().unwrap()));
    let right = bob.own_account().unwrap().fingerprint();
    let wrong = impostor.own_account().unwrap().fingerprint();
    let told = |verified, changed_from| ToldContact {
        user: bob.user(),
        fingerprint: right,
        verified,
        changed_from,
    };
    let trust_after = |contact: ToldContact, shown| {
        let ann = device(1, Store::in_memory().unwrap());
        ann.inner.store.write(|tx| contacts::insert(tx, contact)).unwrap();
        let before = ann.trust(bob.user()).unwrap();
        let learned = learn_as(&ann, &claimed(shown), None).unwrap();
        (before.unwrap(), learned.changed_now, ann.trust(bob.user()).unwrap().unwrap())
    };
    let verified = trust_after(told(true, None), &bob);
    assert_eq!(verified, (Trust::Verified, None, Trust::Verified));
    let unverified = trust_after(told(false, None), &bob);
    assert_eq!(unverified, (Trust::Unverified, None, Trust::Unverified));
    let changed = Trust::Changed { before: right, now: wrong };
    assert_eq!(trust_after(told(true, None), &impostor), (Trust::Verified, Some(right), changed));
    let pending = Trust::Changed { before: wrong, now: right };
    assert_eq!(trust_after(told(false, Some(wrong)), &bob), (pending, None, pending));
}
