//! `DeviceService.RegisterFirstDevice`: an account begins.

use plasma_kit::actor::{DeviceActor, EnrollmentActor};
use plasma_kit::db::TenantClaim;
use plasma_kit::{Failure, TenantDb, Timestamp, convert};
use plasma_proto::messaging::v1 as pb;

use super::registration::Registration;
use super::{account_change, registration};
use crate::Messaging;
use crate::domain::{FirstPrekeys, Founding, Refusal};
use crate::store;

#[tracing::instrument(
    name = "messaging.register_first_device", skip_all, fields(tenant = %user.tenant)
)]
pub(super) async fn handle(
    messaging: &Messaging,
    user: EnrollmentActor,
    request: pb::RegisterFirstDeviceRequest,
) -> Result<pb::RegisterFirstDeviceResponse, Failure> {
    let now = messaging.env.now();
    let asked = Registration {
        root_public_key: request.root_public_key,
        certificate: request.certificate,
        manifest: request.manifest,
        prekeys: request.prekeys.unwrap_or_default(),
    };
    let (founding, prekeys) = asked.verify(user, now).await?;
    let device = registration::device_of(user, &founding);
    let db = messaging.db.tenant(TenantClaim::of_enrollment(&user));
    if !insert(&db, device, &founding, &prekeys, now).await? {
        return if registration::is_repeated(&db, device, &founding, now).await? {
            Ok(pb::RegisterFirstDeviceResponse::default())
        } else {
            Err(Refusal::UserHasDevices.into())
        };
    }
    // No event: nobody remembers that a user has no devices.
    let issued = messaging.sessions.issue_access(&device, now);
    Ok(pb::RegisterFirstDeviceResponse {
        access_token: issued.token,
        expire_time: Some(convert::timestamp(issued.expires_at)),
    })
}

/// Stores account, manifest, device and prekeys together; `false` where the user has an account.
async fn insert(
    db: &TenantDb,
    device: DeviceActor,
    founding: &Founding,
    prekeys: &FirstPrekeys,
    now: Timestamp,
) -> Result<bool, Failure> {
    let tx = db.begin().await?;
    if !store::accounts::insert(&tx, device.user, founding, now).await? {
        tx.rollback().await?;
        return Ok(false);
    }
    let inserted = account_change::insert_device(&tx, founding.certificate(), prekeys, now).await;
    if let Err(failure) = inserted {
        tx.rollback().await?;
        return Err(failure);
    }
    tx.commit().await?;
    Ok(true)
}
