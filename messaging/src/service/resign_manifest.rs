//! What `RevokeDevice` and `RenewManifest` share: an approver's manifest that brings no device.

use bytes::Bytes;
use plasma_kit::Failure;
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_proto::messaging::v1 as pb;

use super::{account_change, contract};
use crate::Messaging;
use crate::domain::{Change, succeed};

/// Puts `manifest` in force where it makes exactly this change, and gives back the account. The
/// one in force already answers again.
pub(super) async fn handle(
    messaging: &Messaging,
    caller: DeviceActor,
    manifest: Bytes,
    change: &Change,
) -> Result<pb::AccountState, Failure> {
    let now = messaging.env.now();
    let user = (caller.tenant, caller.user);
    let db = messaging.db.tenant(TenantClaim::of_device(&caller));
    let standing = account_change::standing(&db, caller.user).await?;
    let (change, seconds) = (*change, contract::unix_seconds(now));
    let succession = contract::off_thread(move || {
        let next = contract::manifest(&manifest)?;
        if standing.is_already(&next) {
            return Ok(None);
        }
        succeed(&standing, next, change, seconds).map(Some)
    });
    if let Some(succession) = succession.await? {
        account_change::save(messaging, &db, user, &succession, None, now).await?;
    }
    messaging.directory.account_state(caller.tenant, caller.user, 0).await
}
