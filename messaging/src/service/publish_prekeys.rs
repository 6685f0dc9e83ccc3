//! `KeyService.PublishPrekeys`: a device adds keys that others may start sessions with.

use bytes::Bytes;
use plasma_identity::{DeviceCertificate, PrekeyRole};
use plasma_kit::actor::DeviceActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::{Failure, TenantTx, Timestamp};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::domain::{Prekey, Refusal, read_published};
use crate::store;

/// Most one-time keys of a kind that a device has published at a time.
const ONE_TIME_KEYS_MAX: u32 = 200;

#[tracing::instrument(
    name = "messaging.publish_prekeys", skip_all, fields(tenant = %device.tenant)
)]
pub(super) async fn handle(
    messaging: &Messaging,
    device: DeviceActor,
    request: pb::PublishPrekeysRequest,
) -> Result<pb::PublishPrekeysResponse, Failure> {
    let now = messaging.env.now();
    let db = messaging.db.tenant(TenantClaim::of_device(&device));
    let row = store::devices::find(&db, device.device).await?;
    let row = row.ok_or(Refusal::DeviceNotFound)?;
    let certificate = contract::stored(DeviceCertificate::from_bytes(&row.certificate))?;
    let keys = verify(request, &certificate, now).await?;
    let tx = db.begin().await?;
    let answer = save(&tx, device, &keys, now).await?;
    tx.commit().await?;
    Ok(answer)
}

struct Published {
    lasting: Vec<Prekey>,
    one_time: Vec<Prekey>,
}

async fn verify(
    request: pb::PublishPrekeysRequest,
    certificate: &DeviceCertificate,
    now: Timestamp,
) -> Result<Published, Failure> {
    let (certificate, now) = (*certificate, contract::unix_seconds(now));
    contract::off_thread(move || {
        let single = |field, role, key: &Bytes| {
            let present = Some(key.as_ref()).filter(|key| !key.is_empty());
            read_published(field, role, present, &certificate, now)
        };
        let listed = |field, role, keys: &[Bytes]| {
            read_published(field, role, keys.iter().map(AsRef::as_ref), &certificate, now)
        };
        let (signed, last_resort) = (&request.signed_prekey, &request.last_resort_kem_prekey);
        let (ec, kem) = (&request.one_time_prekeys, &request.one_time_kem_prekeys);
        let mut lasting = single("signed_prekey", PrekeyRole::SignedEc, signed)?;
        lasting.extend(single("last_resort_kem_prekey", PrekeyRole::LastResortKem, last_resort)?);
        let mut one_time = listed("one_time_prekeys", PrekeyRole::OneTimeEc, ec)?;
        one_time.extend(listed("one_time_kem_prekeys", PrekeyRole::OneTimeKem, kem)?);
        Ok(Published { lasting, one_time })
    })
    .await
}

async fn save(
    tx: &TenantTx,
    device: DeviceActor,
    keys: &Published,
    now: Timestamp,
) -> Result<pb::PublishPrekeysResponse, Failure> {
    if !store::devices::lock(tx, device.device).await? {
        return Err(Refusal::DeviceNotFound.into());
    }
    store::prekeys::forget_taken(tx, device.device, now).await?;
    for key in &keys.lasting {
        store::prekeys::replace(tx, device.device, key).await?;
    }
    store::prekeys::add_one_time(tx, device.device, &keys.one_time).await?;
    let ec = store::prekeys::count_left(tx, device.device, PrekeyRole::OneTimeEc).await?;
    let kem = store::prekeys::count_left(tx, device.device, PrekeyRole::OneTimeKem).await?;
    if ec > ONE_TIME_KEYS_MAX || kem > ONE_TIME_KEYS_MAX {
        return Err(Refusal::PrekeyLimit.into());
    }
    Ok(pb::PublishPrekeysResponse { one_time_prekey_count: ec, one_time_kem_prekey_count: kem })
}
