//! Beginning an account anew, for somebody who has lost every device and the recovery key.
//!
//! A platform's token alone does not do it at once: the old devices are told and can stop it until
//! the platform's delay is over, and everyone who knows the user is shown a changed identity.

use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use tonic::transport::Channel;
use uuid::Uuid;

use super::Device;
use super::enrollment::Enrollment;
use super::register::RootedDevice;
use crate::connection::Endpoint;
use crate::error::{Error, ResetNotDue};
use crate::store::{Store, account_reset, own_device};
use crate::wire;

/// A reset of an account that somebody whom the platform vouches for has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingReset {
    /// When it was asked for, microseconds since 1970.
    pub request_micros: i64,
    /// From when on it can be carried out.
    pub effective_micros: i64,
    /// Until when; then it has to be asked for again.
    pub expire_micros: i64,
}

impl PendingReset {
    /// Says to the person on an old device what this means and what to do.
    pub fn explain(&self) -> &'static str {
        "Somebody has asked to begin your account anew, because all devices were lost. If that was \
         not you, cancel it now: otherwise this device and all others are removed from the account, \
         and the people you write with are told that your identity has changed. If it was you and \
         this device is in your hands, cancel it too and link your new device from here."
    }

    pub(crate) fn read(reset: Option<&pb::AccountReset>) -> Option<Self> {
        let reset = reset?;
        Some(Self {
            request_micros: wire::micros(reset.request_time),
            effective_micros: wire::micros(reset.effective_time),
            expire_micros: wire::micros(reset.expire_time),
        })
    }
}

impl Device {
    /// Asks for the account to begin anew. Nothing changes yet: every device of the account is
    /// told, and each can cancel. A request that is pending answers again.
    pub async fn request_reset(
        endpoint: &Endpoint,
        tenant: Uuid,
        platform_token: &str,
    ) -> Result<PendingReset, Error> {
        let enrollment = Enrollment::begin(endpoint, tenant, platform_token).await?;
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).request_account_reset(request).await
        };
        let answer = enrollment.call(pb::RequestAccountResetRequest {}, operation).await?;
        PendingReset::read(answer.reset.as_ref()).ok_or(Error::Answer("reset"))
    }

    /// Cancels a pending reset of this account; where none is pending nothing changes.
    pub async fn cancel_reset(&self) -> Result<(), Error> {
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).cancel_account_reset(request).await
        };
        self.call(pb::CancelAccountResetRequest {}, operation).await?;
        self.inner.store.write(|tx| account_reset::set(tx, None))?;
        Ok(())
    }

    /// Returns the reset that the service has announced last, if it is pending.
    pub fn pending_reset(&self) -> Result<Option<PendingReset>, Error> {
        Ok(self.inner.store.read(account_reset::load)?)
    }

    /// Begins the account anew once a reset is due: with a new root and this device alone. Chats and
    /// what was paid for stay; [`Device::chats`] lists them.
    ///
    /// After a crash, call it again with the same store and a new token within 15 minutes: the same
    /// device goes on. Fails with [`Error::ResetNotDue`] before its time.
    pub async fn reset(
        endpoint: &Endpoint,
        store: Store,
        tenant: Uuid,
        platform_token: &str,
    ) -> Result<Self, Error> {
        let enrollment = Enrollment::begin(endpoint, tenant, platform_token).await?;
        let rooted =
            store.write(|tx| RootedDevice::prepare(tx, &enrollment.env, enrollment.user))?;
        let first = rooted.to_request();
        let request = pb::ResetAccountRequest {
            root_public_key: first.root_public_key,
            certificate: first.certificate,
            manifest: first.manifest,
            prekeys: first.prekeys,
        };
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).reset_account(request).await
        };
        match enrollment.call(request, operation).await {
            Ok(answer) => rooted.registered(enrollment, store, answer.access_token).await,
            Err(error) => match ResetNotDue::of(&error) {
                Some(_) if rooted.is_known_to(&enrollment).await? => {
                    rooted.open(enrollment, store).await
                }
                Some(cause) => {
                    // Nobody has seen these keys; the next attempt makes others.
                    store.write(|tx| own_device::discard_unregistered(tx))?;
                    Err(Error::ResetNotDue(cause))
                }
                None => Err(error),
            },
        }
    }

    /// Takes note of what the service says about a reset of this account; returns one that is
    /// pending.
    pub(crate) fn note_reset(
        &self,
        announced: Option<&pb::AccountReset>,
    ) -> Result<Option<PendingReset>, Error> {
        let reset = PendingReset::read(announced);
        self.inner.store.write(|tx| account_reset::set(tx, reset))?;
        Ok(reset)
    }
}
