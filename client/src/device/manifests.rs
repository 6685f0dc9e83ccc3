//! Changes of this user's own list of devices: signed on top of the manifest in force, and signed
//! again where another device was faster.

use plasma_e2ee::{DeviceKeys, RootKey};
use plasma_identity::{CertificateRequest, VerifiedAccount};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_service_client::DeviceServiceClient;
use tonic::transport::Channel;
use uuid::Uuid;

use super::Device;
use crate::error::Error;

/// Attempts at a change that others overtake: more than the service takes of the devices of an account
/// at once, so that a thief with a device cannot overtake the root for good.
pub(super) const CONFLICTS_MAX: u32 = 64;

/// A change of the list.
#[derive(Debug)]
pub(super) enum Change<'a> {
    /// Adds a device that this one certifies.
    Add { request: &'a CertificateRequest, may_approve: bool, prekeys: &'a pb::DevicePrekeys },
    /// Removes a device.
    Remove(Uuid),
    /// Lists the same devices for another 30 days.
    Renew,
    /// Begins a generation with these devices and no other.
    Restart { root: &'a RootKey, keep: &'a [Uuid] },
}

/// A change, signed for the manifest in force.
enum Signed {
    Add(pb::AddDeviceRequest),
    Remove(pb::RevokeDeviceRequest),
    Renew(pb::RenewManifestRequest),
    Restart(pb::StartGenerationRequest),
}

impl Change<'_> {
    /// Tells whether another device has done it already.
    fn is_done(&self, own: &VerifiedAccount, before: &VerifiedAccount) -> bool {
        match self {
            Self::Add { .. } | Self::Restart { .. } => false,
            Self::Remove(device) => own.device(*device).is_none(),
            Self::Renew => own.expires() > before.expires(),
        }
    }

    fn sign(&self, keys: &DeviceKeys, own: &VerifiedAccount, now: u64) -> Result<Signed, Error> {
        Ok(match self {
            Self::Add { request, may_approve, prekeys } => {
                let (certificate, manifest) = keys.approve(own, request, *may_approve, now)?;
                Signed::Add(pb::AddDeviceRequest {
                    certificate: certificate.to_bytes().into(),
                    manifest: manifest.to_bytes().into(),
                    prekeys: Some((*prekeys).clone()),
                })
            }
            Self::Remove(device) => {
                let manifest = keys.revoke(own, *device, now)?.to_bytes().into();
                Signed::Remove(pb::RevokeDeviceRequest { manifest })
            }
            Self::Renew => {
                let manifest = keys.renew(own, now)?.to_bytes().into();
                Signed::Renew(pb::RenewManifestRequest { manifest })
            }
            Self::Restart { root, keep } => {
                // A stolen approver may have removed one of them meanwhile: it cannot come back.
                let listed: Vec<_> =
                    keep.iter().copied().filter(|device| own.device(*device).is_some()).collect();
                let (_, manifest) = root.recover(own, &listed, None, now)?;
                let manifest = manifest.to_bytes().into();
                Signed::Restart(pb::StartGenerationRequest { manifest, new_device: None })
            }
        })
    }
}

impl Device {
    /// Changes the list of devices and follows it.
    pub(super) async fn change_account(
        &self,
        change: &Change<'_>,
    ) -> Result<VerifiedAccount, Error> {
        let before = self.own_account()?;
        let mut own = before.clone();
        for _ in 0..CONFLICTS_MAX {
            let signed = change.sign(&self.inner.keys, &own, self.inner.env.now_seconds())?;
            match self.submit(signed).await {
                Ok(state) => {
                    return Ok(self.learn(self.user(), state.as_ref(), None)?.known.account);
                }
                Err(error) if error.reason() == Some(ErrorReason::ManifestConflict) => {
                    own = self.refresh_account(self.user()).await?.known.account;
                }
                Err(error) => return Err(error),
            }
            if change.is_done(&own, &before) {
                return Ok(own);
            }
        }
        Err(Error::DeviceSetUnstable)
    }

    async fn submit(&self, signed: Signed) -> Result<Option<pb::AccountState>, Error> {
        Ok(match signed {
            Signed::Add(request) => {
                let operation = |channel: Channel, request| async move {
                    DeviceServiceClient::new(channel).add_device(request).await
                };
                self.call(request, operation).await?.account
            }
            Signed::Remove(request) => {
                let operation = |channel: Channel, request| async move {
                    DeviceServiceClient::new(channel).revoke_device(request).await
                };
                self.call(request, operation).await?.account
            }
            Signed::Renew(request) => {
                let operation = |channel: Channel, request| async move {
                    DeviceServiceClient::new(channel).renew_manifest(request).await
                };
                self.call(request, operation).await?.account
            }
            Signed::Restart(request) => {
                let operation = |channel: Channel, request| async move {
                    DeviceServiceClient::new(channel).start_generation(request).await
                };
                self.call(request, operation).await?.account
            }
        })
    }
}
