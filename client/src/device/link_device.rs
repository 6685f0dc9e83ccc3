//! A user's further device: it asks, an approver certifies it, and the manifest names it.
//!
//! The three values travel between the two devices of one person; the QR ceremony that carries
//! them is a later step. A platform's token has no part in it.

use plasma_e2ee::{DeviceKeys, LocalDevice};
use plasma_identity::{
    Capabilities, CertificateRequest, DeviceCertificate, Fingerprint, Manifest, UserAddress,
};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use tonic::transport::Channel;

use super::register::make_first_prekeys;
use super::{Device, learn};
use crate::connection::{Connection, Endpoint};
use crate::error::Error;
use crate::store::{Store, own_device};
use crate::wire::{self, ClaimedAccount};

const CONFLICTS_MAX: u32 = 5;

/// What an existing device shows to a new one: whose device it will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkInvitation {
    /// The user.
    pub user: UserAddress,
    /// The account's fingerprint, which the new device holds everything against.
    pub fingerprint: Fingerprint,
}

/// What a new device shows to an approver. Holds no secret.
#[derive(Debug, Clone)]
pub struct LinkRequest {
    /// The device's keys, signed by itself.
    pub certificate_request: CertificateRequest,
    /// The keys with which others will start sessions.
    pub prekeys: pb::DevicePrekeys,
}

/// What an approver gives back. Holds no secret.
#[derive(Debug, Clone)]
pub struct Approval {
    account: pb::AccountState,
}

/// A device that waits for its approval.
#[derive(Debug)]
pub struct PendingDevice {
    endpoint: Endpoint,
    store: Store,
    keys: DeviceKeys,
    invitation: LinkInvitation,
}

impl Device {
    /// Names this user to a device that is to be added.
    pub fn invite_device(&self) -> Result<LinkInvitation, Error> {
        Ok(LinkInvitation { user: self.user(), fingerprint: self.own_account()?.fingerprint() })
    }

    /// Makes the keys of a further device of a user, and what its approver must see.
    pub fn prepare_second(
        endpoint: &Endpoint,
        store: Store,
        invitation: LinkInvitation,
    ) -> Result<(PendingDevice, LinkRequest), Error> {
        let env = endpoint.environment();
        let keys = DeviceKeys::generate(invitation.user.device(env.random_id()), &mut env.rng());
        let prekeys = store.write(|tx| {
            own_device::discard_unregistered(tx)?;
            if own_device::load(tx)?.is_some() {
                return Err(Error::StoreInUse);
            }
            own_device::insert(tx, &keys, None)?;
            make_first_prekeys(tx, &env, &keys)
        })?;
        let certificate_request =
            keys.certificate_request(invitation.fingerprint, Capabilities::V1);
        let pending = PendingDevice { endpoint: endpoint.clone(), store, keys, invitation };
        Ok((pending, LinkRequest { certificate_request, prekeys }))
    }

    /// Certifies a further device of this user and publishes the manifest that names it.
    ///
    /// The caller has compared the request with what the new device shows. When another approver
    /// was faster, follows it and tries again.
    pub async fn approve(
        &self,
        request: &LinkRequest,
        may_approve: bool,
    ) -> Result<Approval, Error> {
        for _ in 0..CONFLICTS_MAX {
            let own = self.own_account()?;
            let now = self.inner.env.now_seconds();
            let (certificate, manifest) =
                self.inner.keys.approve(&own, &request.certificate_request, may_approve, now)?;
            match self.add_device(&certificate, &manifest, &request.prekeys).await {
                Ok(Some(account)) => {
                    self.learn(self.user(), Some(&account), None)?;
                    return self.whole_approval(account).await;
                }
                Ok(None) => return Err(Error::Answer("account")),
                Err(error) if error.reason() == Some(ErrorReason::ManifestConflict) => {
                    self.refresh_account(self.user()).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Error::DeviceSetUnstable)
    }

    async fn add_device(
        &self,
        certificate: &DeviceCertificate,
        manifest: &Manifest,
        prekeys: &pb::DevicePrekeys,
    ) -> Result<Option<pb::AccountState>, Error> {
        let request = pb::AddDeviceRequest {
            certificate: certificate.to_bytes().into(),
            manifest: manifest.to_bytes().into(),
            prekeys: Some(prekeys.clone()),
        };
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).add_device(request).await
        };
        Ok(self.call(request, operation).await?.account)
    }

    /// The new device knows nothing yet and needs the chain from its root on.
    async fn whole_approval(&self, account: pb::AccountState) -> Result<Approval, Error> {
        let rooted = ClaimedAccount::read(Some(&account))?
            .manifests
            .first()
            .is_some_and(|first| first.statement().signer == plasma_identity::Issuer::Root);
        if rooted {
            return Ok(Approval { account });
        }
        let request = pb::GetAccountRequest { user: Some(wire::user(self.user())), after_epoch: 0 };
        let operation = |channel: Channel, request| async move {
            DeviceServiceClient::new(channel).get_account(request).await
        };
        let account =
            self.call(request, operation).await?.account.ok_or(Error::Answer("account"))?;
        Ok(Approval { account })
    }
}

impl PendingDevice {
    /// Takes the approval: checks that the account is the one invited to and names this device
    /// with its own keys, opens a session, and publishes prekeys.
    pub async fn complete(self, approval: &Approval) -> Result<Device, Error> {
        let Self { endpoint, store, keys, invitation } = self;
        let env = endpoint.environment();
        let claimed = ClaimedAccount::read(Some(&approval.account))?;
        let (user, expected) = (invitation.user, Some(invitation.fingerprint));
        store.write(|tx| {
            let learned = learn(tx, user, &claimed, expected, true, env.now_seconds())?;
            LocalDevice::new(&keys, &learned.known.account)?;
            own_device::mark_registered(tx)?;
            Ok::<_, Error>(())
        })?;
        let device = Device::assemble(env, Connection::new(&endpoint)?, store, keys);
        device.publish_prekeys().await?;
        Ok(device)
    }
}
