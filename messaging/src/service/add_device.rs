//! `DeviceService.AddDevice`: an approver certifies one more device.

use plasma_identity::{DeviceCertificate, Manifest, RootPublicKey};
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::events::Event;
use plasma_kit::ids::DeviceId;
use plasma_kit::{Failure, TenantDb, Timestamp};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::domain::{
    FirstPrekeys, IdentityCause, Refusal, Standing, Succession, read_first, succeed,
};
use crate::store;

#[tracing::instrument(name = "messaging.add_device", skip_all, fields(tenant = %caller.tenant))]
pub(super) async fn handle(
    messaging: &Messaging,
    caller: DeviceActor,
    request: pb::AddDeviceRequest,
) -> Result<pb::AddDeviceResponse, Failure> {
    let now = messaging.env.now();
    let db = messaging.db.tenant(TenantClaim::of_device(&caller));
    let standing = load(&db, caller).await?;
    if let Some((succession, prekeys)) = verify(standing, caller, request, now).await? {
        save(&db, caller, &succession, &prekeys, now).await?;
        messaging.events.emit(Event::AccountChanged(caller.tenant, caller.user)).await;
    }
    let account = messaging.directory.account_state(caller.tenant, caller.user, 0).await?;
    Ok(pb::AddDeviceResponse { account: Some(account) })
}

async fn load(db: &TenantDb, caller: DeviceActor) -> Result<Standing, Failure> {
    let account = store::accounts::find(db, caller.user).await?.ok_or(Refusal::UserNotFound)?;
    let (generation, epoch) = (account.generation, account.epoch);
    let manifest = store::accounts::manifest(db, caller.user, generation, epoch).await?;
    let certificates = store::devices::certificates(db, caller.user).await?;
    let certificates: Result<Vec<DeviceCertificate>, _> =
        certificates.iter().map(|bytes| DeviceCertificate::from_bytes(bytes)).collect();
    Ok(Standing {
        root: contract::stored(RootPublicKey::from_bytes(&account.root_public_key))?,
        manifest: contract::stored(Manifest::from_bytes(&manifest))?,
        certificates: contract::stored(certificates)?,
    })
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
        let certificate = contract::certificate(&request.certificate)?;
        let manifest = contract::manifest(&request.manifest);
        if manifest.as_ref().is_ok_and(|next| standing.is_already(next, &certificate)) {
            return Ok(None);
        }
        // A manifest of 11 devices does not decode: the limit goes first.
        if standing.is_full() {
            return Err(Refusal::DeviceLimit);
        }
        let succession = succeed(&standing, caller.device.0, manifest?, certificate, now)?;
        let prekeys = request.prekeys.unwrap_or_default();
        let (signed, last_resort) = (&prekeys.signed_prekey, &prekeys.last_resort_kem_prekey);
        let prekeys = read_first(signed, last_resort, succession.certificate(), now)?;
        Ok(Some((succession, prekeys)))
    })
    .await
}

async fn save(
    db: &TenantDb,
    caller: DeviceActor,
    succession: &Succession,
    prekeys: &FirstPrekeys,
    now: Timestamp,
) -> Result<(), Failure> {
    let device = DeviceId(succession.certificate().address().device);
    let tx = db.begin().await?;
    if !store::accounts::replace_manifest(&tx, caller.user, succession).await? {
        tx.rollback().await?;
        return Err(Refusal::ManifestConflict.into());
    }
    if !store::devices::insert(&tx, succession.certificate(), now).await? {
        tx.rollback().await?;
        return Err(Refusal::from(IdentityCause::DeviceIdTaken).into());
    }
    store::prekeys::replace(&tx, device, &prekeys.signed).await?;
    store::prekeys::replace(&tx, device, &prekeys.last_resort).await?;
    tx.commit().await?;
    Ok(())
}
