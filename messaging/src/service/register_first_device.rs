//! `DeviceService.RegisterFirstDevice`: an account begins.

use plasma_identity::{Manifest, UserAddress};
use plasma_kit::actor::{DeviceActor, EnrollmentActor};
use plasma_kit::db::TenantClaim;
use plasma_kit::events::Event;
use plasma_kit::ids::DeviceId;
use plasma_kit::{Failure, TenantDb, Timestamp, convert};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::domain::{FirstPrekeys, Founding, IdentityCause, Refusal, found, read_first};
use crate::sessions::TOKEN_LIFETIME;
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
    let (founding, prekeys) = verify(user, request, now).await?;
    let device = DeviceActor {
        tenant: user.tenant,
        user: user.user,
        device: DeviceId(founding.certificate().address().device),
    };
    let db = messaging.db.tenant(TenantClaim::of_enrollment(&user));
    let valid_from = if insert(&db, device, &founding, &prekeys, now).await? {
        messaging.events.emit(Event::AccountChanged(user.tenant, user.user)).await;
        now
    } else {
        find_registered(&db, device, &founding, now).await?
    };
    let issued = messaging.sessions.issue_access(&device, valid_from);
    Ok(pb::RegisterFirstDeviceResponse {
        access_token: issued.token,
        expire_time: Some(convert::timestamp(issued.expires_at)),
    })
}

async fn verify(
    user: EnrollmentActor,
    request: pb::RegisterFirstDeviceRequest,
    now: Timestamp,
) -> Result<(Founding, FirstPrekeys), Failure> {
    let now = contract::unix_seconds(now);
    contract::off_thread(move || {
        let root = contract::root_public_key(&request.root_public_key)?;
        let certificate = contract::certificate(&request.certificate)?;
        let manifest = contract::manifest(&request.manifest)?;
        let prekeys = request.prekeys.unwrap_or_default();
        let (signed, last_resort) = (&prekeys.signed_prekey, &prekeys.last_resort_kem_prekey);
        let address = UserAddress { tenant: user.tenant.0, user: user.user.0 };
        let founding = found(address, root, manifest, certificate, now)?;
        let prekeys = read_first(signed, last_resort, founding.certificate(), now)?;
        Ok((founding, prekeys))
    })
    .await
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
    if !store::devices::insert(&tx, founding.certificate(), now).await? {
        tx.rollback().await?;
        return Err(Refusal::from(IdentityCause::DeviceIdTaken).into());
    }
    store::prekeys::replace(&tx, device.device, &prekeys.signed).await?;
    store::prekeys::replace(&tx, device.device, &prekeys.last_resort).await?;
    tx.commit().await?;
    Ok(true)
}

/// Finds the registration that a retry repeats, and from when on the device's tokens hold.
///
/// Certificate and manifest are no secret, and a platform can vouch for its user again at any
/// time: whoever repeats them later proves nothing. So a retry is one only as long as the
/// enrollment token of the first call lives. After that the device opens a session by its own
/// signature.
async fn find_registered(
    db: &TenantDb,
    device: DeviceActor,
    founding: &Founding,
    now: Timestamp,
) -> Result<Timestamp, Failure> {
    let registered = store::devices::find(db, device.device)
        .await?
        .filter(|registered| registered.user == device.user)
        .filter(|registered| now < registered.created_at.plus(TOKEN_LIFETIME))
        .ok_or(Refusal::UserHasDevices)?;
    let said = founding.manifest().statement();
    let first = store::accounts::manifest(db, device.user, said.generation, said.epoch).await?;
    let first = contract::stored(Manifest::from_bytes(&first))?;
    // The manifest names the certificate and the root key by their hashes.
    if first.hash() != founding.manifest().hash() {
        return Err(Refusal::UserHasDevices.into());
    }
    Ok(registered.tokens_valid_from)
}
