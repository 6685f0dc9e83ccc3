//! Following an account: removed devices, forks that the root overrides, and manifests whose time is
//! over.

use plasma_e2ee::RootKey;
use plasma_identity::{ChainError, MANIFEST_LIFETIME_SECONDS, MAX_LATENCY_SECONDS, Manifest};

use super::{claimed, learn_as};
use crate::device::Device;
use crate::error::Error;
use crate::event::StopCause;
use crate::store::{Store, own_device, sessions};
use crate::testing::{acquaint, device, second};
use crate::wire::ClaimedAccount;

const MICROS: i64 = 1_000_000;

fn root_of(device: &Device) -> RootKey {
    device.inner.store.read(own_device::load).unwrap().unwrap().root.unwrap()
}

fn followed_by(device: &Device, next: Manifest) -> ClaimedAccount {
    let mut claimed = claimed(device);
    claimed.manifests.push(next);
    claimed
}

fn stale(device: &Device) -> Vec<bool> {
    let read = |db: &rusqlite::Connection| {
        let sql = "SELECT stale_seconds IS NOT NULL FROM session ORDER BY 1";
        let mut statement = db.prepare(sql)?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.collect::<Result<Vec<bool>, _>>()
    };
    device.inner.store.read(read).unwrap()
}

/// Bob with two devices; Ann knows both and has a session with each.
fn scene() -> (Device, Device, Device) {
    let ann = device(1, Store::in_memory().unwrap());
    let bob = device(2, Store::in_memory().unwrap());
    acquaint(&ann, &bob);
    let first = claimed(&bob);
    let bob2 = second(&bob, Store::in_memory().unwrap());
    let mut both = claimed(&bob);
    both.manifests.insert(0, first.manifests[0].clone());
    learn_as(&ann, &both, None).unwrap();
    let record = plasma_e2ee::SessionRecord::new(ann.address(), bob2.address());
    ann.inner.store.write(|tx| sessions::save(tx, &record)).unwrap();
    (ann, bob, bob2)
}

#[tokio::test]
async fn a_session_with_a_removed_device_ends_after_the_time_under_way() {
    let (ann, bob, bob2) = scene();
    assert_eq!(stale(&ann), [false, false]);
    let (own, now) = (bob.own_account().unwrap(), bob.inner.env.now_seconds());
    let without = bob.inner.keys.revoke(&own, bob2.address().device, now).unwrap();
    learn_as(&ann, &followed_by(&bob, without), None).unwrap();
    assert_eq!(stale(&ann), [false, true]);
    ann.forget_stale_sessions().unwrap();
    assert_eq!(stale(&ann), [false, true], "still within the time under way");
    ann.inner.env.move_clock(i64::try_from(MAX_LATENCY_SECONDS + 2).unwrap() * MICROS);
    ann.forget_stale_sessions().unwrap();
    assert_eq!(stale(&ann), [false]);
}

#[tokio::test]
async fn a_device_that_its_account_no_longer_lists_knows_that_it_was_removed() {
    let (_, bob, bob2) = scene();
    let (own, now) = (bob.own_account().unwrap(), bob.inner.env.now_seconds());
    let without = bob.inner.keys.revoke(&own, bob2.address().device, now).unwrap();
    learn_as(&bob2, &followed_by(&bob, without), None).unwrap();
    let cause = bob2.cause_of_refusal(Error::NotRegistered).await.unwrap();
    assert!(matches!(cause, StopCause::Removed), "{cause:?}");
    assert!(cause.explain().contains("removed from the account by another of your devices"));
}

#[tokio::test]
async fn the_roots_next_generation_overrides_a_fork() {
    let (ann, bob, bob2) = scene();
    let (own, now) = (bob.own_account().unwrap(), bob.inner.env.now_seconds());
    // Ann is shown the branch of a thief who holds the second device and removes the first.
    let thiefs = bob2.inner.keys.revoke(&own, bob.address().device, now).unwrap();
    learn_as(&ann, &followed_by(&bob, thiefs), None).unwrap();
    assert!(
        ann.verified_account(bob.user()).unwrap().unwrap().device(bob.address().device).is_none()
    );
    // The honest branch alone is refused; with the root's word behind it, it counts.
    let honest = bob.inner.keys.renew(&own, now + 1).unwrap();
    let mut branch = followed_by(&bob, honest.clone());
    let error = learn_as(&ann, &branch, None).unwrap_err();
    assert!(matches!(error, Error::Identity { cause: ChainError::Forked, .. }), "{error:?}");
    let mut renewed = own;
    renewed.advance(&[honest], &[], now + 1).unwrap();
    let keep = [bob.address().device];
    let (_, restart) = root_of(&bob).recover(&renewed, &keep, None, now + 2).unwrap();
    branch.manifests.push(restart);
    let learned = learn_as(&ann, &branch, None).unwrap();
    assert_eq!(learned.changed_now, None, "the same root: no warning");
    let account = learned.known.account;
    assert!(account.device(bob.address().device).is_some());
    assert!(account.device(bob2.address().device).is_none());
}

#[tokio::test]
async fn an_expired_account_is_followed_by_its_own_devices_alone() {
    let (ann, bob, bob2) = scene();
    let (own, now) = (bob.own_account().unwrap(), bob.inner.env.now_seconds());
    let renewed = bob.inner.keys.renew(&own, now + 10).unwrap();
    let month = i64::try_from(MANIFEST_LIFETIME_SECONDS + 60).unwrap() * MICROS;
    for viewer in [&ann, &bob2] {
        viewer.inner.env.move_clock(month);
    }
    let shown = followed_by(&bob, renewed);
    let error = learn_as(&ann, &shown, None).unwrap_err();
    assert!(matches!(error, Error::Identity { cause: ChainError::Expired, .. }), "{error:?}");
    let learned = learn_as(&bob2, &shown, None).unwrap();
    // So that an approver that was away for long can renew it.
    let later = bob2.inner.env.now_seconds();
    assert!(bob2.inner.keys.renew(&learned.known.account, later).is_ok());
}
