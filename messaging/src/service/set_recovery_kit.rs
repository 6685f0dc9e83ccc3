//! `DeviceService.SetRecoveryKit`: keeps the root key, sealed, for the day every device is lost.

use plasma_identity::{RecoveryKit, RootPublicKey, UserAddress};
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::{Failure, TenantTx, Timestamp};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::domain::Refusal;
use crate::store;

#[tracing::instrument(
    name = "messaging.set_recovery_kit", skip_all, fields(tenant = %device.tenant)
)]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::SetRecoveryKitRequest,
) -> Result<pb::SetRecoveryKitResponse, Failure> {
    let kit = contract::recovery_kit(&request.recovery_kit)?;
    let tx = messaging.db.tenant(TenantClaim::of_device(&device)).begin().await?;
    match save(&tx, device, &kit, messaging.env.now()).await {
        Ok(()) => tx.commit().await?,
        Err(failure) => {
            tx.rollback().await?;
            return Err(failure);
        }
    }
    Ok(pb::SetRecoveryKitResponse {})
}

/// Verifies under the account's lock: a reset must not leave a kit of the root before.
async fn save(
    tx: &TenantTx,
    device: DeviceActor,
    kit: &RecoveryKit,
    now: Timestamp,
) -> Result<(), Failure> {
    store::accounts::lock(tx, device.user).await?;
    let account = store::accounts::find(tx, device.user).await?.ok_or(Refusal::UserNotFound)?;
    let root = contract::stored(RootPublicKey::from_bytes(&account.root_public_key))?;
    let user = UserAddress { tenant: device.tenant.0, user: device.user.0 };
    kit.verify(&root, user).map_err(Refusal::from)?;
    store::recovery_kits::replace(tx, device.user, &kit.to_bytes(), now).await?;
    Ok(())
}
