//! The first device of a user.

use plasma_e2ee::{DeviceKeys, PrivatePrekey, RootKey};
use plasma_identity::{Capabilities, PrekeyRole, UserAddress, VerifiedAccount, verify_chain};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use plasma_proto::messaging::v1::session_service_client::SessionServiceClient;
use rusqlite::Transaction;
use tonic::transport::Channel;
use uuid::Uuid;

use super::Device;
use crate::connection::{Connection, Endpoint};
use crate::env::Env;
use crate::error::Error;
use crate::id;
use crate::store::accounts::{self, KnownAccount};
use crate::store::{Store, own_device, prekeys};
use crate::wire;

impl Device {
    /// Registers the first device of the user that a platform's token vouches for.
    ///
    /// Makes the account's root key and this device's keys, keeps them, and only then shows their
    /// public halves to the service. After a crash, call it again with the same store and a new
    /// token: the same device goes on. Fails with [`Error::UserHasDevices`] for a user who has
    /// devices: a platform's token alone never replaces them.
    pub async fn register_first(
        endpoint: &Endpoint,
        store: Store,
        tenant: Uuid,
        platform_token: &str,
    ) -> Result<Self, Error> {
        let (env, connection) = (endpoint.environment(), Connection::new(endpoint)?);
        let request = pb::ExchangeTokenRequest {
            tenant_id: id::format("tenant", tenant),
            platform_token: platform_token.to_owned(),
        };
        let operation = |channel: Channel, request| async move {
            SessionServiceClient::new(channel).exchange_token(request).await
        };
        let enrollment = connection.call_with(None, request, operation).await?;
        let user = wire::read_user(enrollment.user.as_ref())?;
        let (keys, registration) = store.write(|tx| prepare(tx, &env, user))?;

        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).register_first_device(request).await
        };
        let token = Some(enrollment.enrollment_token.as_str());
        let registered = match connection.call_with(token, registration, operation).await {
            Ok(registered) => registered,
            Err(error) => return Err(user_has_devices(error)),
        };
        store.write(|tx| own_device::mark_registered(tx))?;
        connection.keep_token(registered.access_token).await;
        let device = Self::assemble(env, connection, store, keys);
        device.publish_prekeys().await?;
        Ok(device)
    }
}

fn user_has_devices(error: Error) -> Error {
    use plasma_proto::error::v1::ErrorReason;
    if error.reason() == Some(ErrorReason::UserHasDevices) { Error::UserHasDevices } else { error }
}

/// Makes the keys and keeps them, or finds those of an attempt that was cut short.
fn prepare(
    tx: &Transaction<'_>,
    env: &Env,
    user: UserAddress,
) -> Result<(DeviceKeys, pb::RegisterFirstDeviceRequest), Error> {
    if let Some(own) = own_device::load(tx)? {
        if own.registered || own.keys.address().user_address() != user || own.root.is_none() {
            return Err(Error::StoreInUse);
        }
        let known = accounts::load(tx, user)?.ok_or(Error::StoreInUse)?;
        let prekeys = first_prekeys(tx)?;
        let request = request(&known.account, prekeys)?;
        return Ok((own.keys, request));
    }
    let now = env.now_seconds();
    let root = RootKey::generate(&mut env.rng());
    let keys = DeviceKeys::generate(user.device(env.random_id()), &mut env.rng());
    let wish = keys.certificate_request(root.fingerprint(user), Capabilities::V1);
    let certificate = root.certify(&wish, now)?;
    let manifest = root.start_generation(user, &[certificate], None, now)?;
    let account = verify_chain(user, None, root.public(), &[manifest], &[certificate], now)
        .map_err(|cause| Error::Identity { user, cause })?;
    own_device::insert(tx, &keys, Some(&root))?;
    let verified = Some(account.fingerprint());
    accounts::save(tx, &KnownAccount { account: account.clone(), verified, changed_from: None })?;
    let prekeys = make_first_prekeys(tx, env, &keys)?;
    let request = request(&account, prekeys)?;
    Ok((keys, request))
}

fn request(
    account: &VerifiedAccount,
    prekeys: pb::DevicePrekeys,
) -> Result<pb::RegisterFirstDeviceRequest, Error> {
    let certificate = account.devices().first().ok_or(Error::StoreInUse)?;
    Ok(pb::RegisterFirstDeviceRequest {
        root_public_key: account.root().to_bytes().to_vec().into(),
        certificate: certificate.to_bytes().into(),
        manifest: account.manifest().to_bytes().into(),
        prekeys: Some(prekeys),
    })
}

/// Makes and keeps the two prekeys without which nobody can write to a device.
pub(super) fn make_first_prekeys(
    tx: &Transaction<'_>,
    env: &Env,
    keys: &DeviceKeys,
) -> Result<pb::DevicePrekeys, Error> {
    let now = env.now_seconds();
    let make = |role| -> Result<PrivatePrekey, Error> {
        let id = prekeys::reserve_ids(tx, role, 1)?;
        let prekey = PrivatePrekey::generate(keys, role, id, now, &mut env.rng());
        prekeys::insert(tx, &prekey, now)?;
        Ok(prekey)
    };
    let both = [make(PrekeyRole::SignedEc)?, make(PrekeyRole::LastResortKem)?];
    prekeys::mark_published(tx, &both)?;
    let [signed, last_resort] = both;
    Ok(device_prekeys(&signed, &last_resort))
}

fn first_prekeys(tx: &Transaction<'_>) -> Result<pb::DevicePrekeys, Error> {
    let load = |role| prekeys::load(tx, role, 1)?.ok_or(Error::StoreInUse);
    Ok(device_prekeys(&load(PrekeyRole::SignedEc)?, &load(PrekeyRole::LastResortKem)?))
}

fn device_prekeys(signed: &PrivatePrekey, last_resort: &PrivatePrekey) -> pb::DevicePrekeys {
    pb::DevicePrekeys {
        signed_prekey: signed.public().to_bytes().into(),
        last_resort_kem_prekey: last_resort.public().to_bytes().into(),
    }
}
