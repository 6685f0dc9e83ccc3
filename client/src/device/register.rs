//! The first device of a user, or of an account that begins anew: it makes the root.

use plasma_e2ee::{DeviceKeys, RootKey};
use plasma_identity::{
    Capabilities, DeviceCertificate, UserAddress, VerifiedAccount, verify_chain,
};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use rusqlite::Transaction;
use tonic::transport::Channel;
use uuid::Uuid;

use super::Device;
use super::enrollment::Enrollment;
use super::own_keys::FirstPrekeys;
use crate::connection::Endpoint;
use crate::env::Env;
use crate::error::Error;
use crate::store::accounts::{self, KnownAccount};
use crate::store::{Store, own_device};

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
        let enrollment = Enrollment::begin(endpoint, tenant, platform_token).await?;
        let rooted =
            store.write(|tx| RootedDevice::prepare(tx, &enrollment.env, enrollment.user))?;
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).register_first_device(request).await
        };
        match enrollment.call(rooted.to_request(), operation).await {
            Ok(answer) => rooted.registered(enrollment, store, answer.access_token).await,
            Err(error) if error.reason() == Some(ErrorReason::UserHasDevices) => {
                if rooted.is_known_to(&enrollment).await? {
                    return rooted.open(enrollment, store).await;
                }
                Err(Error::UserHasDevices)
            }
            Err(error) => Err(error),
        }
    }
}

/// A device with the root of the account that it founds, kept and not registered yet.
#[derive(Debug)]
pub(super) struct RootedDevice {
    keys: DeviceKeys,
    certificate: DeviceCertificate,
    account: VerifiedAccount,
    prekeys: FirstPrekeys,
}

impl RootedDevice {
    /// Makes the keys and keeps them, or finds those of an attempt that was cut short.
    pub(super) fn prepare(
        tx: &Transaction<'_>,
        env: &Env,
        user: UserAddress,
    ) -> Result<Self, Error> {
        let now = env.now_seconds();
        if let Some(own) = own_device::load(tx)? {
            if own.registered || own.keys.address().user_address() != user {
                return Err(Error::StoreInUse);
            }
            if own.root.is_some() {
                let account = accounts::load(tx, user)?.ok_or(Error::StoreInUse)?.account;
                if account.expires() > now {
                    return Self::new(own.keys, account, FirstPrekeys::load(tx)?);
                }
            }
            // Keys that joined nothing, or that waited for longer than their manifest holds.
            own_device::discard_unregistered(tx)?;
        }
        let root = RootKey::generate(&mut env.rng());
        let keys = DeviceKeys::generate(user.device(env.random_id()), &mut env.rng());
        let wish = keys.certificate_request(root.fingerprint(user), Capabilities::V1);
        let certificate = root.certify(&wish, now)?;
        let manifest = root.start_generation(user, &[certificate], None, now)?;
        let account = verify_chain(user, None, root.public(), &[manifest], &[certificate], now)
            .map_err(|cause| Error::Identity { user, cause })?;
        own_device::insert(tx, &keys, Some(&root))?;
        let verified = Some(account.fingerprint());
        let known = KnownAccount { account: account.clone(), verified, changed_from: None };
        accounts::save(tx, &known)?;
        let prekeys = FirstPrekeys::make(tx, env, &keys)?;
        Self::new(keys, account, prekeys)
    }

    fn new(
        keys: DeviceKeys,
        account: VerifiedAccount,
        prekeys: FirstPrekeys,
    ) -> Result<Self, Error> {
        let certificate = *account.devices().first().ok_or(Error::StoreInUse)?;
        Ok(Self { keys, certificate, account, prekeys })
    }

    pub(super) fn to_request(&self) -> pb::RegisterFirstDeviceRequest {
        pb::RegisterFirstDeviceRequest {
            root_public_key: self.account.root().to_bytes().to_vec().into(),
            certificate: self.certificate.to_bytes().into(),
            manifest: self.account.manifest().to_bytes().into(),
            prekeys: Some(self.prekeys.to_request()),
        }
    }

    /// Tells whether the service has this device already: an answer was lost for longer than the
    /// request could be repeated.
    pub(super) async fn is_known_to(&self, enrollment: &Enrollment) -> Result<bool, Error> {
        match enrollment.connection.open_session(&self.keys).await {
            Ok(()) => Ok(true),
            Err(error) if error.reason() == Some(ErrorReason::Unauthenticated) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Goes on with the token that came with the registration.
    pub(super) async fn registered(
        self,
        enrollment: Enrollment,
        store: Store,
        access_token: String,
    ) -> Result<Device, Error> {
        enrollment.connection.keep_token(access_token).await;
        self.open(enrollment, store).await
    }

    /// Goes on as the registered device.
    pub(super) async fn open(self, enrollment: Enrollment, store: Store) -> Result<Device, Error> {
        store.write(|tx| own_device::mark_registered(tx))?;
        let Enrollment { env, connection, .. } = enrollment;
        let device = Device::assemble(env, connection, store, self.keys);
        device.publish_prekeys().await?;
        Ok(device)
    }
}
