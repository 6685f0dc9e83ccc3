//! The approver's side of a linking.

use std::fmt;
use std::sync::Arc;

use plasma_e2ee::{LinkingApprover, LinkingRequest};
use plasma_identity::{MAX_DEVICES, SignedPrekey, VerifiedAccount};
use plasma_proto::content::v1::content::Body;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use tokio::time::Instant;

use super::relay::{Caller, Relay};
use super::{LinkingFailure, grant};
use crate::device::manifests::Change;
use crate::device::{Device, OwnDevice};
use crate::error::Error;
use crate::store::device_names::NamedDevice;
use crate::store::outbox::Route;

/// A linking that this device has answered. Dropped, it leads to nothing.
pub struct Approval {
    device: Device,
    approver: LinkingApprover,
    request: Option<Arc<LinkingRequest>>,
    begun: Instant,
    scan_micros: i64,
}

/// What the person must see before saying yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkingDetails {
    /// What the new device calls itself. Its own claim.
    pub device_name: String,
    /// When this device scanned the code, microseconds since 1970.
    pub scan_micros: i64,
    /// The devices that the account has now.
    pub devices: Vec<OwnDevice>,
}

impl LinkingDetails {
    /// Says what saying yes means, in words for a person.
    pub fn explain(&self) -> String {
        let names: Vec<_> = self.devices.iter().map(ToString::to_string).collect();
        format!(
            "“{}” wants to join your account. It will read everything that is written to you from \
             now on and write in your name. Go on only if it is in your hands and shows the same \
             code. Your account has {} of {MAX_DEVICES} devices: {}.",
            self.device_name,
            self.devices.len(),
            names.join(", "),
        )
    }
}

impl Device {
    /// Answers the code that a new device shows. From then on no other device can answer it.
    ///
    /// Refused without using the code up where this device may not approve.
    pub async fn scan_linking(&self, qr_text: &str) -> Result<Approval, Error> {
        let own = self.own_account()?;
        let certificate = own.device(self.address().device);
        if !certificate.is_some_and(plasma_identity::DeviceCertificate::may_approve) {
            return Err(LinkingFailure::NotApprover.into());
        }
        let (user, account) = (self.user(), own.fingerprint());
        let rng = &mut self.inner.env.rng();
        let (approver, hello) = LinkingApprover::scan(qr_text.trim(), user, account, rng)?;
        let approval = Approval {
            device: self.clone(),
            approver,
            request: None,
            begun: Instant::now(),
            scan_micros: self.inner.env.now_micros(),
        };
        approval.relay().post(1, hello).await?;
        Ok(approval)
    }
}

impl Approval {
    /// Returns the six digits that the new device must show too.
    pub fn check_code(&self) -> String {
        self.approver.check_code()
    }

    /// Waits for the new device's request and returns what the person must see.
    pub async fn details(&mut self) -> Result<LinkingDetails, Error> {
        let device_name = self.request().await?.name.clone();
        let devices = self.device.devices()?;
        Ok(LinkingDetails { device_name, scan_micros: self.scan_micros, devices })
    }

    /// Certifies the new device, puts the manifest that names it in force, and hands it what this
    /// device knows. Where another approver was faster, follows it and tries again.
    ///
    /// A device that the account lists already, because a linking before was cut short after this
    /// step, is only handed what it needs.
    pub async fn approve(mut self, may_approve: bool) -> Result<(), Error> {
        let request = self.request().await?;
        if !is_listed(&self.device.own_account()?, &request)
            && let Err(error) = self.add(&request, may_approve).await
        {
            // The new device learns that it is not wanted instead of waiting in vain.
            let _declined = self.decline().await;
            return Err(error);
        }
        let named = NamedDevice {
            device: request.certificate_request.statement().address.device,
            name: request.name.clone(),
            set_micros: self.device.inner.env.now_micros(),
        };
        let store = &self.device.inner.store;
        // The new device has its name from the person, the others of the account have it from here.
        let told = store.write(|tx| {
            self.device.write_down(tx, Route::Own, None, Body::DeviceName(named.to_content()))
        })?;
        let payload = store.read(|db| grant::write(db, self.device.user()))?;
        let sealed = self.approver.seal_grant(&payload)?;
        self.relay().post(3, sealed).await?;
        self.device.transmit_patiently(&told).await
    }

    /// Says no: the new device is told, and not added. Waits for its request, which comes first.
    pub async fn decline(mut self) -> Result<(), Error> {
        self.request().await?;
        let refusal = self.approver.seal_refusal()?;
        self.relay().post(3, refusal).await
    }

    async fn add(&self, request: &LinkingRequest, may_approve: bool) -> Result<(), Error> {
        let bytes = |prekey: &SignedPrekey| prekey.to_bytes().into();
        let prekeys = pb::DevicePrekeys {
            signed_prekey: bytes(&request.signed_prekey),
            last_resort_kem_prekey: bytes(&request.last_resort_kem_prekey),
        };
        let request = &request.certificate_request;
        if self.device.own_account()?.devices().len() >= MAX_DEVICES {
            // Another device may have made room.
            let own = self.device.refresh_account(self.device.user()).await?.known.account;
            if own.devices().len() >= MAX_DEVICES {
                return Err(self.too_many());
            }
        }
        let change = Change::Add { request, may_approve, prekeys: &prekeys };
        match self.device.change_account(&change).await {
            Err(error) if error.reason() == Some(ErrorReason::LimitReached) => {
                self.device.refresh_account(self.device.user()).await?;
                Err(self.too_many())
            }
            result => result.map(drop),
        }
    }

    fn too_many(&self) -> Error {
        match self.device.devices() {
            Ok(devices) => LinkingFailure::TooManyDevices(devices).into(),
            Err(error) => error,
        }
    }

    async fn request(&mut self) -> Result<Arc<LinkingRequest>, Error> {
        if self.request.is_none() {
            let message = self.relay().wait_for(2).await?;
            self.request = Some(Arc::new(self.approver.open_request(&message)?));
        }
        self.request.clone().ok_or(Error::Answer("request"))
    }

    fn relay(&self) -> Relay<'_> {
        Relay {
            caller: Caller::Approver(&self.device),
            linking: self.approver.linking_id(),
            begun: self.begun,
        }
    }
}

fn is_listed(own: &VerifiedAccount, request: &LinkingRequest) -> bool {
    let statement = request.certificate_request.statement();
    own.device(statement.address.device).is_some_and(|listed| {
        *listed.signing_key() == statement.signing_key
            && *listed.agreement_key() == statement.agreement_key
    })
}

impl fmt::Debug for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approval").field("approver", &self.approver).finish_non_exhaustive()
    }
}
