//! The keys of a device that is about to join an account: kept before anybody hears of them.

use plasma_e2ee::{DeviceKeys, PREKEY_ROTATION_SECONDS, PrivatePrekey};
use plasma_identity::{PrekeyRole, UserAddress};
use plasma_proto::messaging::v1 as pb;
use rusqlite::Transaction;

use crate::env::Env;
use crate::error::Error;
use crate::store::{own_device, prekeys};

/// The keys of a device that others certify.
#[derive(Debug)]
pub(super) struct JoiningDevice {
    pub(super) keys: DeviceKeys,
    pub(super) prekeys: FirstPrekeys,
}

/// The two prekeys without which nobody can write to a device.
#[derive(Debug)]
pub(super) struct FirstPrekeys {
    pub(super) signed: PrivatePrekey,
    pub(super) last_resort: PrivatePrekey,
}

impl FirstPrekeys {
    /// Makes and keeps both.
    pub(super) fn make(tx: &Transaction<'_>, env: &Env, keys: &DeviceKeys) -> Result<Self, Error> {
        let now = env.now_seconds();
        let make = |role| -> Result<PrivatePrekey, Error> {
            let id = prekeys::reserve_ids(tx, role, 1)?;
            let prekey = PrivatePrekey::generate(keys, role, id, now, &mut env.rng());
            prekeys::insert(tx, &prekey, now)?;
            prekeys::mark_published(tx, std::slice::from_ref(&prekey))?;
            Ok(prekey)
        };
        Ok(Self {
            signed: make(PrekeyRole::SignedEc)?,
            last_resort: make(PrekeyRole::LastResortKem)?,
        })
    }

    /// Finds those of an attempt that was cut short.
    pub(super) fn load(tx: &Transaction<'_>) -> Result<Self, Error> {
        let load = |role| prekeys::load(tx, role, 1)?.ok_or(Error::StoreInUse);
        Ok(Self {
            signed: load(PrekeyRole::SignedEc)?,
            last_resort: load(PrekeyRole::LastResortKem)?,
        })
    }

    /// Writes the public halves.
    pub(super) fn to_request(&self) -> pb::DevicePrekeys {
        pb::DevicePrekeys {
            signed_prekey: self.signed.public().to_bytes().into(),
            last_resort_kem_prekey: self.last_resort.public().to_bytes().into(),
        }
    }
}

impl JoiningDevice {
    /// Makes the keys and keeps them, or finds those of an attempt that was cut short: the account
    /// may list them already.
    pub(super) fn prepare(
        tx: &Transaction<'_>,
        env: &Env,
        user: UserAddress,
    ) -> Result<Self, Error> {
        if let Some(own) = own_device::load(tx)? {
            if own.registered || own.keys.address().user_address() != user {
                return Err(Error::StoreInUse);
            }
            let made = prekeys::newest(tx, PrekeyRole::SignedEc)?.unwrap_or(0);
            let fresh = made.saturating_add(PREKEY_ROTATION_SECONDS) > env.now_seconds();
            if own.root.is_none() && fresh {
                return Ok(Self { keys: own.keys, prekeys: FirstPrekeys::load(tx)? });
            }
        }
        own_device::discard_unregistered(tx)?;
        let keys = DeviceKeys::generate(user.device(env.random_id()), &mut env.rng());
        own_device::insert(tx, &keys, None)?;
        let prekeys = FirstPrekeys::make(tx, env, &keys)?;
        Ok(Self { keys, prekeys })
    }
}
