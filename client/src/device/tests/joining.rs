//! Keys of a device that joins, and the root that leaves.

use std::path::Path;

use plasma_identity::UserAddress;
use uuid::Uuid;

use crate::Env;
use crate::device::own_keys::JoiningDevice;
use crate::device::register::RootedDevice;
use crate::error::Error;
use crate::store::{Store, own_device};
use crate::testing::device;

const USER: UserAddress = UserAddress { tenant: Uuid::from_u128(1), user: Uuid::from_u128(2) };

fn join(store: &Store, env: &Env, user: UserAddress) -> Result<Uuid, Error> {
    let joining = store.write(|tx| JoiningDevice::prepare(tx, env, user))?;
    Ok(joining.keys.address().device)
}

#[test]
fn an_attempt_that_was_cut_short_goes_on_with_the_same_keys() {
    let (store, env) = (Store::in_memory().unwrap(), Env::system());
    let first = join(&store, &env, USER).unwrap();
    assert_eq!(join(&store, &env, USER).unwrap(), first);
    // Its prekeys are too old to be shown: a device of other keys.
    env.move_clock(8 * 24 * 60 * 60 * 1_000_000);
    let later = join(&store, &env, USER).unwrap();
    assert_ne!(later, first);
    let other = UserAddress { user: Uuid::from_u128(3), ..USER };
    assert!(matches!(join(&store, &env, other), Err(Error::StoreInUse)));
    store.write(|tx| own_device::mark_registered(tx)).unwrap();
    assert!(matches!(join(&store, &env, USER), Err(Error::StoreInUse)));
}

#[test]
fn a_store_that_founded_nothing_can_join_and_one_that_joined_nothing_can_found() {
    let (store, env) = (Store::in_memory().unwrap(), Env::system());
    store.write(|tx| RootedDevice::prepare(tx, &env, USER)).unwrap();
    join(&store, &env, USER).unwrap();
    assert!(store.read(own_device::load).unwrap().unwrap().root.is_none());
    let rooted = store.write(|tx| RootedDevice::prepare(tx, &env, USER)).unwrap().to_request();
    let again = store.write(|tx| RootedDevice::prepare(tx, &env, USER)).unwrap().to_request();
    assert_eq!(rooted, again);
}

fn holds(folder: &Path, secret: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(secret.len()).any(|window| window == secret)
    })
}

#[tokio::test]
async fn a_root_that_was_deleted_is_in_no_file_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("ann.sqlite")).unwrap();
    let ann = device(1, store);
    let root = ann.inner.store.read(own_device::load).unwrap().unwrap().root.unwrap();
    let scalar = root.to_bytes()[2..].to_vec();
    assert!(holds(folder.path(), &scalar), "the search finds what is there");
    assert!(ann.holds_root().unwrap());
    ann.inner.store.write(|tx| own_device::delete_root(tx)).unwrap();
    ann.inner.store.truncate_log().unwrap();
    assert!(!ann.holds_root().unwrap());
    assert!(!holds(folder.path(), &scalar));
}
