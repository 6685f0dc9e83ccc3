//! `DeviceService.StartGeneration`: the root says which devices the account has.

use plasma_identity::{DeviceCertificate, Manifest};
use plasma_kit::actor::{Actor, DeviceActor};
use plasma_kit::ids::DeviceId;
use plasma_kit::{Failure, Timestamp, convert};
use plasma_proto::messaging::v1 as pb;

use super::{account_change, contract, own_user};
use crate::Messaging;
use crate::domain::{Change, FirstPrekeys, Refusal, Standing, Succession, read_first, succeed};

#[tracing::instrument(name = "messaging.start_generation", skip_all)]
pub(super) async fn handle(
    messaging: &Messaging,
    caller: Actor,
    request: pb::StartGenerationRequest,
) -> Result<pb::StartGenerationResponse, Failure> {
    let own = own_user::of(&caller)?;
    let enrolling = matches!(caller, Actor::Enrollment(_));
    if enrolling && request.new_device.is_none() {
        return Err(Failure::invalid("new_device", "must be set by a caller without a device"));
    }
    let now = messaging.env.now();
    let db = messaging.db.tenant(own.claim);
    let asked = contract::off_thread(move || Asked::read(request)).await?;
    let standing = account_change::standing(&db, own.user).await?;
    let new = asked.new.map(|new| DeviceId(new.address().device));
    // A retry gets no token: manifest and certificate are no secret and prove nothing. The new
    // device opens a session by its own signature.
    let started = if asked.is_in_force(&standing) {
        None
    } else {
        let (succession, prekeys) = verify(standing, asked, now).await?;
        let user = (own.tenant, own.user);
        account_change::save(messaging, &db, user, &succession, prekeys.as_ref(), now).await?;
        new
    };
    let account = messaging.directory.account_state(own.tenant, own.user, 0).await?;
    let issued = started.map(|device| {
        let device = DeviceActor { tenant: own.tenant, user: own.user, device };
        messaging.sessions.issue_access(&device, now)
    });
    let (access_token, expire_time) =
        issued.map(|issued| (issued.token, convert::timestamp(issued.expires_at))).unzip();
    Ok(pb::StartGenerationResponse {
        account: Some(account),
        access_token: access_token.unwrap_or_default(),
        expire_time,
    })
}

/// A request, decoded.
struct Asked {
    manifest: Manifest,
    new: Option<DeviceCertificate>,
    prekeys: pb::DevicePrekeys,
}

impl Asked {
    fn read(request: pb::StartGenerationRequest) -> Result<Self, Refusal> {
        let manifest = contract::manifest(&request.manifest)?;
        let Some(device) = request.new_device else {
            return Ok(Self { manifest, new: None, prekeys: pb::DevicePrekeys::default() });
        };
        let new = contract::certificate("new_device.certificate", &device.certificate)?;
        Ok(Self { manifest, new: Some(new), prekeys: device.prekeys.unwrap_or_default() })
    }

    /// Whether the manifest in force is the one asked for and lists the device that was brought.
    fn is_in_force(&self, standing: &Standing) -> bool {
        standing.is_already(&self.manifest) && self.new.is_none_or(|new| standing.lists(&new))
    }
}

async fn verify(
    standing: Standing,
    asked: Asked,
    now: Timestamp,
) -> Result<(Succession, Option<FirstPrekeys>), Failure> {
    let now = contract::unix_seconds(now);
    contract::off_thread(move || {
        let Asked { manifest, new, prekeys } = asked;
        let succession = succeed(&standing, manifest, Change::Generation { new }, now)?;
        let (signed, last_resort) = (&prekeys.signed_prekey, &prekeys.last_resort_kem_prekey);
        let prekeys = new
            .map(|new| read_first("new_device.prekeys", signed, last_resort, &new, now))
            .transpose()?;
        Ok((succession, prekeys))
    })
    .await
}
