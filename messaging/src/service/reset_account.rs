//! `DeviceService.ResetAccount`: the account begins anew.

use plasma_kit::actor::{DeviceActor, EnrollmentActor};
use plasma_kit::db::TenantClaim;
use plasma_kit::ids::DeviceId;
use plasma_kit::{Failure, TenantTx, Timestamp, convert};
use plasma_proto::messaging::v1 as pb;

use super::registration::Registration;
use super::{account_change, registration};
use crate::Messaging;
use crate::domain::{FirstPrekeys, Founding, NotDue, Refusal};
use crate::store;

#[tracing::instrument(name = "messaging.reset_account", skip_all, fields(tenant = %user.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    user: EnrollmentActor,
    request: pb::ResetAccountRequest,
) -> Result<pb::ResetAccountResponse, Failure> {
    let now = messaging.env.now();
    let asked = Registration {
        root_public_key: request.root_public_key,
        certificate: request.certificate,
        manifest: request.manifest,
        prekeys: request.prekeys.unwrap_or_default(),
    };
    let (founding, prekeys) = asked.verify(user, now).await?;
    let device = registration::device_of(user, &founding);
    let tx = messaging.db.tenant(TenantClaim::of_enrollment(&user)).begin().await?;
    let done = match carry_out(messaging, &tx, device, &founding, &prekeys, now).await {
        Ok(done) => done,
        Err(failure) => {
            tx.rollback().await?;
            return Err(failure);
        }
    };
    tx.commit().await?;
    let Done::Now(removed) = done else { return Ok(pb::ResetAccountResponse::default()) };
    account_change::announce(messaging, (user.tenant, user.user), &removed).await;
    let issued = messaging.sessions.issue_access(&device, now);
    Ok(pb::ResetAccountResponse {
        access_token: issued.token,
        expire_time: Some(convert::timestamp(issued.expires_at)),
    })
}

/// What came of a call.
enum Done {
    /// The account began anew by an earlier call of the same content.
    Already,
    /// The account begins anew; these devices were of it before.
    Now(Vec<DeviceId>),
}

/// Puts the new root, manifest and device in the place of everything that the old root vouched
/// for. Chats, links and what was paid for are the user's and stay.
async fn carry_out(
    messaging: &Messaging,
    tx: &TenantTx,
    device: DeviceActor,
    founding: &Founding,
    prekeys: &FirstPrekeys,
    now: Timestamp,
) -> Result<Done, Failure> {
    let user = device.user;
    store::accounts::lock(tx, user).await?;
    if registration::is_repeated(tx, device, founding, now).await? {
        return Ok(Done::Already);
    }
    let reset = store::account_resets::find(tx, user).await?;
    let reset = reset.ok_or(Refusal::from(NotDue::NotRequested))?;
    reset.check_due(now).map_err(Refusal::from)?;
    store::account_resets::delete(tx, user).await?;
    store::recovery_kits::delete(tx, user).await?;
    store::linkings::delete(tx, user).await?;
    let removed = store::removal::forget_all(tx, user, now).await?;
    store::accounts::begin_anew(tx, user, founding).await?;
    account_change::insert_device(tx, founding.certificate(), prekeys, now).await?;
    account_change::record(messaging, tx, user, &removed).await?;
    Ok(Done::Now(removed))
}
