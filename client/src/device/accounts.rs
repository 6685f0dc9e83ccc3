//! Whom this device trusts: accounts verified from the root on, followed, never rolled back.

use plasma_identity::{
    ChainError, Fingerprint, Issuer, Manifest, UserAddress, VerifiedAccount, verify_chain,
};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use rusqlite::Connection;
use tonic::transport::Channel;

use super::Device;
use crate::error::Error;
use crate::store::accounts::{self, KnownAccount};
use crate::store::contacts::{self, ToldContact};
use crate::store::sessions;
use crate::wire::{self, ClaimedAccount};

/// What an account shown by the service turned out to be.
#[derive(Debug, Clone)]
pub(crate) struct Learned {
    pub(crate) known: KnownAccount,
    /// The fingerprint known before, when it changed just now.
    pub(crate) changed_now: Option<Fingerprint>,
}

impl KnownAccount {
    pub(crate) fn refuse_changed(self) -> Result<VerifiedAccount, Error> {
        match self.changed_from {
            None => Ok(self.account),
            Some(before) => Err(Error::IdentityChanged {
                user: self.account.user_address(),
                before,
                now: self.account.fingerprint(),
            }),
        }
    }
}

/// Verifies what the service shows for `user` against what is remembered, and remembers it.
///
/// `expected` is a fingerprint from the owner's own link. `own` says that the account is this
/// device's, whose root never changes.
pub(crate) fn learn(
    connection: &Connection,
    user: UserAddress,
    claimed: &ClaimedAccount,
    expected: Option<Fingerprint>,
    own: bool,
    now: u64,
) -> Result<Learned, Error> {
    let refuse = |cause| Error::Identity { user, cause };
    if claimed.user != user {
        return Err(refuse(ChainError::WrongUser));
    }
    let shown = claimed.root.fingerprint(user);
    if let Some(expected) = expected.filter(|expected| *expected != shown) {
        return Err(Error::FingerprintMismatch { expected, shown });
    }
    let known = accounts::load(connection, user)?;
    let anew = || {
        verify_chain(user, expected, claimed.root, &claimed.manifests, &claimed.certificates, now)
            .map_err(refuse)
    };
    let learned = match known {
        None => introduced(anew()?, expected, contacts::load(connection, user)?),
        Some(mut known) if *known.account.root() == claimed.root => {
            let newer = since(&known.account, &claimed.manifests).map_err(refuse)?;
            let at = if own { within_its_life(&newer, now) } else { now };
            follow(&mut known.account, &newer, claimed, at).map_err(refuse)?;
            known.verified = expected.or(known.verified);
            Learned { known, changed_now: None }
        }
        Some(_) if own => return Err(refuse(ChainError::WrongRoot)),
        Some(known) => {
            let before = known.account.fingerprint();
            let account = match accounts::former(connection, user, shown)? {
                None => anew()?,
                // An identity that was known before goes on from where it was: it is no way back to
                // an older list of devices.
                Some(mut former) => {
                    let newer = since(&former, &claimed.manifests).map_err(refuse)?;
                    follow(&mut former, &newer, claimed, now).map_err(refuse)?;
                    former
                }
            };
            accounts::keep_former(connection, &known.account)?;
            // The fingerprint that the person last accepted stays the one to compare with.
            let changed_from = Some(known.changed_from.unwrap_or(before));
            let changed_from = changed_from.filter(|accepted| *accepted != shown);
            let known = KnownAccount { account, verified: expected, changed_from };
            Learned { known, changed_now: Some(before) }
        }
    };
    accounts::save(connection, &learned.known)?;
    contacts::delete(connection, user)?;
    sessions::mark_stale(connection, &learned.known.account, now)?;
    Ok(learned)
}

/// An account seen for the first time here, held against what the approver of this device knew.
fn introduced(
    account: VerifiedAccount,
    expected: Option<Fingerprint>,
    told: Option<ToldContact>,
) -> Learned {
    let shown = account.fingerprint();
    let (verified, changed_from, changed_now) = match told {
        None => (expected, None, None),
        Some(told) if told.fingerprint == shown => {
            (expected.or(told.verified.then_some(shown)), told.changed_from, None)
        }
        Some(told) => {
            let before = told.changed_from.unwrap_or(told.fingerprint);
            (expected, Some(before), Some(told.fingerprint))
        }
    };
    Learned { known: KnownAccount { account, verified, changed_from }, changed_now }
}

/// Follows an account. Where the way there contradicts what is known, the root's last word counts:
/// a generation that it began overrides the branch of a stolen approver.
fn follow(
    account: &mut VerifiedAccount,
    newer: &[Manifest],
    claimed: &ClaimedAccount,
    now: u64,
) -> Result<(), ChainError> {
    let certificates = &claimed.certificates;
    match account.advance(newer, certificates, now) {
        Err(contradiction @ (ChainError::Forked | ChainError::MissingManifest)) => {
            let begins = |manifest: &Manifest| {
                let statement = manifest.statement();
                statement.signer == Issuer::Root && statement.generation > account.generation()
            };
            let generation = newer.iter().rposition(begins).ok_or(contradiction)?;
            account.advance(&newer[generation..], certificates, now)
        }
        result => result,
    }
}

/// A device follows its own account also past the end of a manifest: an approver that was away for
/// a month could renew it never again otherwise.
fn within_its_life(newer: &[Manifest], now: u64) -> u64 {
    let expires = newer.last().map_or(now, |newest| newest.statement().expires);
    now.min(expires.saturating_sub(1))
}

/// Leaves out what lies before the manifest known: it may have been forgotten here. An answer
/// with nothing at or after it is a rollback.
fn since(known: &VerifiedAccount, shown: &[Manifest]) -> Result<Vec<Manifest>, ChainError> {
    let place = |manifest: &Manifest| (manifest.statement().generation, manifest.statement().epoch);
    let current = (known.generation(), known.epoch());
    let newer: Vec<_> = shown
        .iter()
        .skip_while(|manifest| {
            let (generation, _) = place(manifest);
            generation <= current.0 && place(manifest) < current
        })
        .cloned()
        .collect();
    if newer.is_empty() { Err(ChainError::RolledBack) } else { Ok(newer) }
}

impl Device {
    /// Returns a user's account as this device has verified it; `None` if it never has.
    pub fn verified_account(&self, user: UserAddress) -> Result<Option<VerifiedAccount>, Error> {
        let known = self.inner.store.read(|db| accounts::load(db, user))?;
        Ok(known.map(|known| known.account))
    }

    /// Verifies and remembers an account that came with an answer.
    pub(crate) fn learn(
        &self,
        user: UserAddress,
        state: Option<&pb::AccountState>,
        expected: Option<Fingerprint>,
    ) -> Result<Learned, Error> {
        let claimed = ClaimedAccount::read(state)?;
        let (own, now) = (user == self.user(), self.inner.env.now_seconds());
        self.inner.store.write(|tx| learn(tx, user, &claimed, expected, own, now))
    }

    /// Asks the service for a user's account, verifies and remembers it.
    pub(crate) async fn refresh_account(&self, user: UserAddress) -> Result<Learned, Error> {
        let known = self.inner.store.read(|db| accounts::load(db, user))?;
        let request = pb::GetAccountRequest {
            user: Some(wire::user(user)),
            after_epoch: known.map_or(0, |known| known.account.epoch()),
        };
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).get_account(request).await
        };
        let account = self.call(request, operation).await?.account;
        if let Ok(learned) = self.learn(user, account.as_ref(), None) {
            return Ok(learned);
        }
        // A new identity, or one that began anew, needs its whole chain.
        let request = pb::GetAccountRequest { user: Some(wire::user(user)), after_epoch: 0 };
        let account = self.call(request, operation).await?.account;
        self.learn(user, account.as_ref(), None)
    }

    /// Returns this device's own account.
    pub fn own_account(&self) -> Result<VerifiedAccount, Error> {
        self.verified_account(self.user())?.ok_or(Error::NotRegistered)
    }

    /// Returns an account that may be written to, fetched where it was never seen.
    pub(crate) async fn sendable_account(
        &self,
        user: UserAddress,
    ) -> Result<VerifiedAccount, Error> {
        let known = match self.inner.store.read(|db| accounts::load(db, user))? {
            Some(known) => known,
            None => self.refresh_account(user).await?.known,
        };
        known.refuse_changed()
    }
}
