//! What a device makes of accounts, its own and others', without a service.

mod following;
mod granting;
mod joining;
mod trusting;

use plasma_identity::Fingerprint;

use super::{Device, Learned, learn};
use crate::error::Error;
use crate::wire::ClaimedAccount;

/// A device's account, from its root on, as an honest service would show it.
fn claimed(device: &Device) -> ClaimedAccount {
    let account = device.own_account().unwrap();
    ClaimedAccount {
        user: account.user_address(),
        root: *account.root(),
        manifests: vec![account.manifest().clone()],
        certificates: account.devices().to_vec(),
    }
}

fn learn_as(
    viewer: &Device,
    claimed: &ClaimedAccount,
    expected: Option<Fingerprint>,
) -> Result<Learned, Error> {
    let (own, now) = (claimed.user == viewer.user(), viewer.inner.env.now_seconds());
    viewer.inner.store.write(|tx| learn(tx, claimed.user, claimed, expected, own, now))
}
