//! `DeviceService.AddDevice`: an approver certifies one more device.

use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::{Failure, Timestamp};
use plasma_proto::messaging::v1 as pb;

use super::{account_change, contract};
use crate::Messaging;
use crate::domain::{Change, FirstPrekeys, Refusal, Standing, Succession, read_first, succeed};

#[tracing::instrument(name = "messaging.add_device", skip_all, fields(tenant = %caller.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    caller: DeviceActor,
    request: pb::AddDeviceRequest,
) -> Result<pb::AddDeviceResponse, Failure> {
    let now = messaging.env.now();
    let user = (caller.tenant, caller.user);
    let db = messaging.db.tenant(TenantClaim::of_device(&caller));
    let standing = account_change::standing(&db, caller.user).await?;
    if let Some((succession, prekeys)) = verify(standing, caller, request, now).await? {
        account_change::save(messaging, &db, user, &succession, Some(&prekeys), now).await?;
    }
    let account = messaging.directory.account_state(caller.tenant, caller.user, 0).await?;
    Ok(pb::AddDeviceResponse { account: Some(account) })
}

/// Verifies the addition; `None` where it is the one in force already.
async fn verify(
    standing: Standing,
    caller: DeviceActor,
    request: pb::AddDeviceRequest,
    now: Timestamp,
) -> Result<Option<(Succession, FirstPrekeys)>, Failure> {
    let now = contract::unix_seconds(now);
    contract::off_thread(move || {
        let new = contract::certificate("certificate", &request.certificate)?;
        let manifest = contract::manifest(&request.manifest);
        let repeats = |next| standing.is_already(next) && standing.lists(&new);
        if manifest.as_ref().is_ok_and(repeats) {
            return Ok(None);
        }
        // A manifest of 11 devices does not decode: the limit goes first.
        if standing.is_full() {
            return Err(Refusal::DeviceLimit);
        }
        let change = Change::Addition { caller: caller.device.0, new };
        let succession = succeed(&standing, manifest?, change, now)?;
        let prekeys = request.prekeys.unwrap_or_default();
        let (signed, last_resort) = (&prekeys.signed_prekey, &prekeys.last_resort_kem_prekey);
        let prekeys = read_first("prekeys", signed, last_resort, &new, now)?;
        Ok(Some((succession, prekeys)))
    })
    .await
}
