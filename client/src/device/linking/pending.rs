//! The new device's side of a linking.

use std::fmt;

use plasma_e2ee::{DeviceChannel, Grant, LinkingDevice, LocalDevice};
use plasma_identity::{Capabilities, Fingerprint};
use plasma_proto::content::v1::LinkingGrant;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::device_linking_service_client::DeviceLinkingServiceClient;
use prost::Message as _;
use tokio::time::Instant;
use tonic::transport::Channel;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::relay::{Caller, Relay};
use super::{LinkingFailure, grant};
use crate::connection::Endpoint;
use crate::device::enrollment::Enrollment;
use crate::device::own_keys::JoiningDevice;
use crate::device::{Device, learn};
use crate::error::Error;
use crate::qr;
use crate::store::device_names::{self, NamedDevice};
use crate::store::{Store, own_device};
use crate::{id, wire};

/// A device that shows its code and waits for an approver.
pub struct PendingLinking {
    enrollment: Enrollment,
    store: Store,
    joining: Box<JoiningDevice>,
    name: String,
    linking: LinkingDevice,
    begun: Instant,
    expire_micros: i64,
    channel: Option<DeviceChannel>,
}

/// What the person compares before the new device joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkingCheck {
    /// Six digits that both devices show.
    pub code: String,
    /// The fingerprint of the account that the approver belongs to.
    pub account: Fingerprint,
}

impl Device {
    /// Begins to link this device to the account of the user that a platform's token vouches for.
    ///
    /// The device's keys are kept first. After a crash, or when the code has expired, call it again
    /// with the same store and a new token: the same device goes on, even where the approver has
    /// added it already. `name` is what the approver shows; the service never learns it.
    pub async fn start_linking(
        endpoint: &Endpoint,
        store: Store,
        tenant: Uuid,
        platform_token: &str,
        name: &str,
    ) -> Result<PendingLinking, Error> {
        if !device_names::is_valid(name) {
            return Err(Error::InvalidDeviceName);
        }
        let enrollment = Enrollment::begin(endpoint, tenant, platform_token).await?;
        let (env, user) = (&enrollment.env, enrollment.user);
        let joining = Box::new(store.write(|tx| JoiningDevice::prepare(tx, env, user))?);
        let operation = |channel: Channel, request| async move {
            DeviceLinkingServiceClient::new(channel).start_linking(request).await
        };
        let answer = match enrollment.call(pb::StartLinkingRequest {}, operation).await {
            Err(error) if error.reason() == Some(ErrorReason::NotFound) => {
                return Err(LinkingFailure::NoAccount.into());
            }
            answer => answer?,
        };
        let linking_id = id::parse("linking", &answer.linking_id)?;
        let linking = LinkingDevice::start(linking_id, user, &mut env.rng());
        Ok(PendingLinking {
            store,
            joining,
            name: name.to_owned(),
            linking,
            begun: Instant::now(),
            expire_micros: wire::micros(answer.expire_time),
            channel: None,
            enrollment,
        })
    }
}

impl PendingLinking {
    /// Returns the text of the code, a secret: whoever scans it can ask to be the approver.
    pub fn qr_text(&self) -> Zeroizing<String> {
        self.linking.qr_text()
    }

    /// Renders the code in SVG.
    pub fn qr_svg(&self) -> Result<String, Error> {
        Ok(qr::svg(&self.qr_text())?)
    }

    /// Renders the code for a terminal with a dark background, two modules a character.
    pub fn qr_terminal(&self) -> Result<String, Error> {
        Ok(qr::terminal(&self.qr_text())?)
    }

    /// Returns when the code expires by the service's clock, microseconds since 1970.
    pub fn expire_time(&self) -> i64 {
        self.expire_micros
    }

    /// Waits for the approver that scans the code and returns what the person compares.
    pub async fn check_code(&mut self) -> Result<LinkingCheck, Error> {
        if self.channel.is_none() {
            let hello = self.relay().wait_for(1).await?;
            self.channel = Some(self.linking.receive_hello(&hello)?);
        }
        let channel = self.channel.as_ref().ok_or(Error::Answer("hello"))?;
        Ok(LinkingCheck { code: channel.check_code(), account: channel.account() })
    }

    /// Asks the approver to be added, waits for its person's answer, and joins: checks that the
    /// account is the approver's and names this device with its own keys, keeps what the approver
    /// knows, and publishes prekeys.
    pub async fn complete(mut self) -> Result<Device, Error> {
        let expected = self.check_code().await?.account;
        let mut channel = self.channel.take().ok_or(Error::Answer("hello"))?;
        let JoiningDevice { keys, prekeys } = &*self.joining;
        let request = channel.seal_request(
            &keys.certificate_request(expected, Capabilities::V1),
            prekeys.signed.public(),
            prekeys.last_resort.public(),
            &self.name,
        )?;
        let relay = self.relay();
        relay.post(2, request).await?;
        let payload = match channel.open_grant(&relay.wait_for(3).await?)? {
            Grant::Approved(payload) => payload,
            Grant::Declined => {
                // An approver that has refused these keys need not meet them again.
                self.store.write(|tx| own_device::discard_unregistered(tx))?;
                return Err(LinkingFailure::Declined.into());
            }
        };
        let granted = LinkingGrant::decode(&payload[..]).map_err(|_| Error::Answer("grant"))?;
        self.join(expected, &granted).await
    }

    async fn join(self, expected: Fingerprint, granted: &LinkingGrant) -> Result<Device, Error> {
        let claimed = self.enrollment.claimed_account().await?;
        let Self { enrollment, store, joining, name, .. } = self;
        let Enrollment { env, connection, user, .. } = enrollment;
        let keys = joining.keys;
        let (now, set_micros) = (env.now_seconds(), env.now_micros());
        store.write(|tx| {
            let learned = learn(tx, user, &claimed, Some(expected), true, now)?;
            LocalDevice::new(&keys, &learned.known.account)
                .map_err(|_| LinkingFailure::NotListed)?;
            grant::keep(tx, granted, user)?;
            let device = keys.address().device;
            device_names::set(tx, &NamedDevice { device, name, set_micros })?;
            own_device::mark_registered(tx)?;
            Ok::<_, Error>(())
        })?;
        let device = Device::assemble(env, connection, store, keys);
        device.publish_prekeys().await?;
        Ok(device)
    }

    fn relay(&self) -> Relay<'_> {
        Relay {
            caller: Caller::NewDevice(&self.enrollment),
            linking: self.linking.linking_id(),
            begun: self.begun,
        }
    }
}

impl fmt::Debug for PendingLinking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingLinking")
            .field("linking", &self.linking.linking_id())
            .field("device", &self.joining.keys.address())
            .finish_non_exhaustive()
    }
}
