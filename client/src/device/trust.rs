//! How far a person can be sure who somebody is: what apps show, and what the person does about it.

use plasma_identity::{Fingerprint, SafetyComparison, SafetyNumber, UserAddress};

use super::Device;
use crate::error::Error;
use crate::store::accounts::{self, KnownAccount};
use crate::store::contacts::{self, ToldContact};

/// How far a user's identity is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The fingerprint came from a link or QR code of the owner's own device, or was compared.
    Verified,
    /// The service's word only.
    Unverified,
    /// The identity is not the one known before, and nobody has accepted that.
    Changed {
        /// The fingerprint known before.
        before: Fingerprint,
        /// The fingerprint shown now.
        now: Fingerprint,
    },
}

impl Trust {
    /// Says what that means and what to do about it, in words for a person.
    pub fn explain(&self) -> &'static str {
        match self {
            Self::Verified => {
                "You have confirmed who this is: by a link or code from their own device, or by \
                 comparing safety numbers. The service cannot put anybody else in their place \
                 without this app telling you."
            }
            Self::Unverified => {
                "The service says that this is who they are, and nobody has checked it. Compare \
                 safety numbers, in person or on a call, to be sure."
            }
            Self::Changed { .. } => {
                "This person's identity is not the one you knew. Either they lost all their \
                 devices and set up their account anew, or somebody pretends to be them. Nothing \
                 is sent until you decide: ask them in another way, compare safety numbers, and \
                 accept the new identity only if it is theirs."
            }
        }
    }

    /// Tells whether messages go to this person.
    pub fn allows_sending(&self) -> bool {
        !matches!(self, Self::Changed { .. })
    }
}

impl KnownAccount {
    pub(crate) fn trust(&self) -> Trust {
        match (self.changed_from, self.verified) {
            (Some(before), _) => Trust::Changed { before, now: self.account.fingerprint() },
            (None, Some(_)) => Trust::Verified,
            (None, None) => Trust::Unverified,
        }
    }
}

impl ToldContact {
    fn trust(&self) -> Trust {
        match self.changed_from {
            Some(before) => Trust::Changed { before, now: self.fingerprint },
            None if self.verified => Trust::Verified,
            None => Trust::Unverified,
        }
    }
}

impl Device {
    /// Tells how far a user's identity is confirmed; `None` for a user that neither this device
    /// nor the one that linked it has seen.
    pub fn trust(&self, user: UserAddress) -> Result<Option<Trust>, Error> {
        Ok(self.inner.store.read(|db| match accounts::load(db, user)? {
            Some(known) => Ok(Some(known.trust())),
            None => contacts::load(db, user).map(|told| told.map(|told| told.trust())),
        })?)
    }

    /// Returns the number that this person and `user` compare: alike on both sides exactly if both
    /// devices see the same two accounts. Its QR text is for the other person's camera.
    pub async fn safety_number(&self, user: UserAddress) -> Result<SafetyNumber, Error> {
        Ok(SafetyNumber::of(self.own_account()?.fingerprint(), self.shown_fingerprint(user).await?))
    }

    /// Compares with the code that the other person's device shows. A match verifies the user;
    /// anything else changes nothing.
    pub async fn compare_safety_number(
        &self,
        user: UserAddress,
        scanned: &str,
    ) -> Result<SafetyComparison, Error> {
        let shown = self.shown_fingerprint(user).await?;
        let number = SafetyNumber::of(self.own_account()?.fingerprint(), shown);
        let comparison = number.compare(scanned).map_err(|_| Error::NotASafetyNumber)?;
        if comparison == SafetyComparison::Match {
            self.verify_identity(user, shown)?;
        }
        Ok(comparison)
    }

    /// Notes that the person has compared a fingerprint with the user's own device.
    pub fn verify_identity(&self, user: UserAddress, compared: Fingerprint) -> Result<(), Error> {
        self.confirm(user, compared, |known| known.verified = Some(compared))
    }

    /// Accepts a changed identity: the person has read the warning and goes on. It is unverified
    /// from then on, unless it came from a link of the owner's own device.
    pub fn accept_identity(&self, user: UserAddress, shown: Fingerprint) -> Result<(), Error> {
        self.confirm(user, shown, |_| ())
    }

    async fn shown_fingerprint(&self, user: UserAddress) -> Result<Fingerprint, Error> {
        match self.verified_account(user)? {
            Some(account) => Ok(account.fingerprint()),
            None => Ok(self.refresh_account(user).await?.known.account.fingerprint()),
        }
    }

    fn confirm(
        &self,
        user: UserAddress,
        expected: Fingerprint,
        change: impl FnOnce(&mut KnownAccount),
    ) -> Result<(), Error> {
        self.inner.store.write(|tx| {
            let mut known = accounts::load(tx, user)?.ok_or(Error::Answer("account"))?;
            let shown = known.account.fingerprint();
            if shown != expected {
                return Err(Error::FingerprintMismatch { expected, shown });
            }
            known.changed_from = None;
            change(&mut known);
            Ok(accounts::save(tx, &known)?)
        })
    }
}
