//! The recovery kit: the root key, sealed under a key that only the person has. With it somebody who
//! has lost every device comes back, and a stolen device that may approve is cut off.

use plasma_e2ee::{LocalDevice, RecoveryKey, RootKey};
use plasma_identity::{Capabilities, RecoveryKit, VerifiedAccount, verify_chain_to_recover};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use tonic::transport::Channel;
use uuid::Uuid;

use super::Device;
use super::enrollment::Enrollment;
use super::manifests::{CONFLICTS_MAX, Change};
use super::own_keys::JoiningDevice;
use crate::connection::Endpoint;
use crate::error::{Error, RecoveryFailure};
use crate::store::accounts::{self, KnownAccount};
use crate::store::{Store, own_device};
use crate::wire::ClaimedAccount;

impl Device {
    /// Seals the root key under a new recovery key and gives it to the service to keep. Show the
    /// key to the person, as words and as a QR code, and nowhere else; then have the words typed
    /// back into [`Device::confirm_recovery_kit`].
    ///
    /// A kit made before is replaced. Fails with [`RecoveryFailure::RootGone`] on a device that does
    /// not hold the root.
    pub async fn create_recovery_kit(&self) -> Result<RecoveryKey, Error> {
        let root = self.root()?;
        let rng = &mut self.inner.env.rng();
        let key = RecoveryKey::generate(rng);
        let kit = key.seal(&root, self.user(), rng);
        let request = pb::SetRecoveryKitRequest { recovery_kit: kit.to_bytes().into() };
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).set_recovery_kit(request).await
        };
        self.call(request, operation).await?;
        Ok(key)
    }

    /// Checks that the words open the kit that the service keeps, and only then deletes the root key
    /// from this device: from now on the person alone can bring it back. Wrong words change nothing.
    pub async fn confirm_recovery_kit(&self, words: &str) -> Result<(), Error> {
        let root = self.root()?;
        let key = RecoveryKey::from_words(words).map_err(RecoveryFailure::Words)?;
        let kept = self.root_in_kit(&key).await?;
        if kept.public() != root.public() {
            return Err(RecoveryFailure::OtherAccount.into());
        }
        self.inner.store.write(|tx| own_device::delete_root(tx))?;
        Ok(self.inner.store.truncate_log()?)
    }

    /// Tells whether this device still holds the root key, which waits for its recovery kit.
    pub fn holds_root(&self) -> Result<bool, Error> {
        let own = self.inner.store.read(own_device::load)?.ok_or(Error::NotRegistered)?;
        Ok(own.root.is_some())
    }

    /// Begins a generation of the account with this device and those to `keep`: every other device
    /// is removed, whoever approved it. For when a device that may approve was stolen.
    ///
    /// Peers follow without a warning: the root, and so the fingerprint, stays.
    pub async fn cut_off(&self, key: &RecoveryKey, keep: &[Uuid]) -> Result<(), Error> {
        let root = self.root_in_kit(key).await?;
        let own = self.refresh_account(self.user()).await?.known.account;
        if root.public() != *own.root() {
            return Err(RecoveryFailure::OtherAccount.into());
        }
        if let Some(unknown) = keep.iter().find(|device| own.device(**device).is_none()) {
            return Err(RecoveryFailure::UnknownDevice(*unknown).into());
        }
        let mut listed = keep.to_vec();
        listed.push(self.address().device);
        listed.sort_unstable();
        listed.dedup();
        self.change_account(&Change::Restart { root: &root, keep: &listed }).await?;
        Ok(())
    }

    /// Comes back with the recovery key, on a fresh store: as a new device that the root certifies,
    /// in a new generation of the account that lists it and the devices to `keep`, and no other.
    ///
    /// After a crash, call it again with the same store and a new token. The root key is not kept.
    /// Where somebody else, such as a stolen device, changes the account at the same time, what the
    /// root signs is put on top of it.
    pub async fn recover(
        endpoint: &Endpoint,
        store: Store,
        tenant: Uuid,
        platform_token: &str,
        key: &RecoveryKey,
        keep: &[Uuid],
    ) -> Result<Self, Error> {
        let enrollment = Enrollment::begin(endpoint, tenant, platform_token).await?;
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).get_recovery_kit(request).await
        };
        let kit = enrollment.call(pb::GetRecoveryKitRequest {}, operation).await;
        let recovery = Recovery { root: open_kit(key, kit)?, enrollment, store, keep };
        recovery.run().await
    }

    fn root(&self) -> Result<RootKey, Error> {
        let own = self.inner.store.read(own_device::load)?.ok_or(Error::NotRegistered)?;
        own.root.ok_or_else(|| RecoveryFailure::RootGone.into())
    }

    async fn root_in_kit(&self, key: &RecoveryKey) -> Result<RootKey, Error> {
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).get_recovery_kit(request).await
        };
        open_kit(key, self.call(pb::GetRecoveryKitRequest {}, operation).await)
    }
}

fn open_kit(
    key: &RecoveryKey,
    answer: Result<pb::GetRecoveryKitResponse, Error>,
) -> Result<RootKey, Error> {
    let kit = match answer {
        Ok(answer) => answer.recovery_kit,
        Err(error) if error.reason() == Some(ErrorReason::NotFound) => {
            return Err(RecoveryFailure::NoKit.into());
        }
        Err(error) => return Err(error),
    };
    let kit = RecoveryKit::from_bytes(&kit).map_err(|_| Error::Answer("recovery_kit"))?;
    Ok(key.open(&kit).map_err(RecoveryFailure::Words)?)
}

/// A recovery under way.
struct Recovery<'a> {
    root: RootKey,
    enrollment: Enrollment,
    store: Store,
    keep: &'a [Uuid],
}

impl Recovery<'_> {
    async fn run(self) -> Result<Device, Error> {
        let (env, user) = (&self.enrollment.env, self.enrollment.user);
        let joining = self.store.write(|tx| JoiningDevice::prepare(tx, env, user))?;
        let device = joining.keys.address().device;
        let mut account = self.account().await?;
        let unknown = self.keep.iter().find(|kept| account.device(**kept).is_none());
        if let Some(unknown) = unknown.filter(|_| account.device(device).is_none()) {
            return Err(RecoveryFailure::UnknownDevice(*unknown).into());
        }
        for _ in 0..CONFLICTS_MAX {
            if account.device(device).is_some() {
                // An attempt that was cut short has succeeded.
                return self.joined(joining, account, None).await;
            }
            match self.start_generation(&joining, &account).await {
                Ok(answer) => {
                    let state = ClaimedAccount::read(answer.account.as_ref())?;
                    let account = self.verified(&state)?;
                    return self.joined(joining, account, Some(answer.access_token)).await;
                }
                Err(error) if error.reason() == Some(ErrorReason::ManifestConflict) => {
                    account = self.account().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::DeviceSetUnstable)
    }

    async fn start_generation(
        &self,
        joining: &JoiningDevice,
        account: &VerifiedAccount,
    ) -> Result<pb::StartGenerationResponse, Error> {
        let listed: Vec<_> =
            self.keep.iter().copied().filter(|kept| account.device(*kept).is_some()).collect();
        let wish = joining.keys.certificate_request(account.fingerprint(), Capabilities::V1);
        let now = self.enrollment.env.now_seconds();
        let (certificate, manifest) = self.root.recover(account, &listed, Some(&wish), now)?;
        let certificate = certificate.ok_or(Error::Answer("certificate"))?;
        let request = pb::StartGenerationRequest {
            manifest: manifest.to_bytes().into(),
            new_device: Some(pb::RecoveredDevice {
                certificate: certificate.to_bytes().into(),
                prekeys: Some(joining.prekeys.to_request()),
            }),
        };
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).start_generation(request).await
        };
        self.enrollment.call(request, operation).await
    }

    async fn account(&self) -> Result<VerifiedAccount, Error> {
        self.verified(&self.enrollment.claimed_account().await?)
    }

    /// Verifies the account against the root that the kit holds, and no other.
    fn verified(&self, claimed: &ClaimedAccount) -> Result<VerifiedAccount, Error> {
        let user = self.enrollment.user;
        let root = self.root.public();
        verify_chain_to_recover(user, root, &claimed.manifests, &claimed.certificates)
            .map_err(|cause| Error::Identity { user, cause })
    }

    async fn joined(
        self,
        joining: JoiningDevice,
        account: VerifiedAccount,
        access_token: Option<String>,
    ) -> Result<Device, Error> {
        let Self { enrollment, store, root, keep } = self;
        let JoiningDevice { keys, .. } = joining;
        LocalDevice::new(&keys, &account)?;
        let cut_short = access_token.is_none();
        let verified = Some(account.fingerprint());
        store.write(|tx| {
            accounts::save(tx, &KnownAccount { account, verified, changed_from: None })?;
            own_device::mark_registered(tx)
        })?;
        if let Some(token) = access_token {
            enrollment.connection.keep_token(token).await;
        }
        let Enrollment { env, connection, .. } = enrollment;
        let device = Device::assemble(env, connection, store, keys);
        if cut_short {
            device.keep_only(&root, keep).await?;
        }
        device.publish_prekeys().await?;
        Ok(device)
    }
}

impl Device {
    /// Begins another generation where the account lists a device that is not to be kept: a
    /// recovery that was cut short is finished with what the person wants now.
    async fn keep_only(&self, root: &RootKey, keep: &[Uuid]) -> Result<(), Error> {
        let this = self.address().device;
        let wanted = |device: &Uuid| *device == this || keep.contains(device);
        let own = self.own_account()?;
        let (kept, gone): (Vec<_>, Vec<_>) =
            own.devices().iter().map(|device| device.address().device).partition(wanted);
        if gone.is_empty() {
            return Ok(());
        }
        self.change_account(&Change::Restart { root, keep: &kept }).await?;
        Ok(())
    }
}
