//! `KeyService.TakePrekeyBundles`: the keys with which sessions with a user's devices begin.

use plasma_identity::PrekeyRole;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::DeviceId;
use plasma_kit::rate::RateLimit;
use plasma_kit::{Failure, StoreError, TenantTx, Timestamp};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::directory::PeerScope;
use crate::domain::Refusal;
use crate::store;

#[tracing::instrument(
    name = "messaging.take_prekey_bundles", skip_all, fields(tenant = %asker.tenant)
)]
pub(super) async fn handle(
    messaging: &Messaging,
    limit: &RateLimit<(DeviceId, DeviceId)>,
    asker: DeviceActor,
    request: pb::TakePrekeyBundlesRequest,
) -> Result<pb::TakePrekeyBundlesResponse, Failure> {
    let devices: Vec<DeviceId> =
        request.device_ids.iter().map(|id| DeviceId::checked(id)).collect();
    let scope = authorize(messaging, asker, &request).await?;
    let known = messaging.directory.device_set(scope.tenant(), scope.user()).await?;
    if devices.iter().any(|device| !known.contains(*device)) {
        return Err(Refusal::DeviceNotFound.into());
    }
    let takes = devices.iter().map(|device| limit.take_everywhere((asker.device, *device)));
    futures::future::try_join_all(takes).await?;
    let tx = messaging.db.tenant(scope.claim()).begin().await?;
    let bundles = match take(&tx, &devices, messaging.env.now()).await {
        Ok(bundles) => bundles,
        Err(failure) => {
            tx.rollback().await?;
            return Err(failure);
        }
    };
    tx.commit().await?;
    Ok(pb::TakePrekeyBundlesResponse { bundles })
}

async fn authorize(
    messaging: &Messaging,
    asker: DeviceActor,
    request: &pb::TakePrekeyBundlesRequest,
) -> Result<PeerScope, Failure> {
    let user = contract::user(request.user.as_ref());
    if user == (asker.tenant, asker.user) {
        return Ok(PeerScope::own(&asker));
    }
    let scope = messaging.directory.open_chat_between(&asker, user).await?;
    scope.ok_or_else(|| Refusal::UserNotFound.into())
}

/// Takes a bundle for each device, in the order asked for. The device set may be a second old: a
/// device that is gone by now has no keys, and whatever was taken for the others goes back.
async fn take(
    tx: &TenantTx,
    devices: &[DeviceId],
    now: Timestamp,
) -> Result<Vec<pb::PrekeyBundle>, Failure> {
    let mut bundles = Vec::with_capacity(devices.len());
    for device in devices {
        bundles.push(take_one(tx, *device, now).await?.ok_or(Refusal::DeviceNotFound)?);
    }
    Ok(bundles)
}

async fn take_one(
    tx: &TenantTx,
    device: DeviceId,
    now: Timestamp,
) -> Result<Option<pb::PrekeyBundle>, StoreError> {
    let lasting = |role| store::prekeys::lasting(tx, device, role);
    let one_time = store::prekeys::take(tx, device, PrekeyRole::OneTimeEc, now).await?;
    let kem = match store::prekeys::take(tx, device, PrekeyRole::OneTimeKem, now).await? {
        Some(key) => Some(key),
        None => lasting(PrekeyRole::LastResortKem).await?,
    };
    let Some((kem, signed)) = kem.zip(lasting(PrekeyRole::SignedEc).await?) else {
        return Ok(None);
    };
    Ok(Some(pb::PrekeyBundle {
        device_id: device.to_string(),
        signed_prekey: signed.into(),
        kem_prekey: kem.into(),
        one_time_prekey: one_time.unwrap_or_default().into(),
    }))
}
