//! What the calls that change an account's device list share: the standing that they verify
//! against, and the one transaction in which everything of a change happens.

use plasma_identity::{DeviceCertificate, Manifest, RootPublicKey};
use plasma_kit::changes::{self, Change};
use plasma_kit::events::{Event, Subject};
use plasma_kit::ids::{DeviceId, TenantId, UserId};
use plasma_kit::{Failure, TenantDb, TenantTx, Timestamp};

use super::contract;
use crate::domain::{FirstPrekeys, IdentityCause, Refusal, Standing, Succession};
use crate::store;
use crate::{Issuer, Messaging};

/// Loads what an account's next manifest is verified against.
pub(super) async fn standing(db: &TenantDb, user: UserId) -> Result<Standing, Failure> {
    let account = store::accounts::find(db, user).await?.ok_or(Refusal::UserNotFound)?;
    let (generation, epoch) = (account.generation, account.epoch);
    let manifest = store::accounts::manifest(db, user, generation, epoch)
        .await?
        // The account began anew between the two reads.
        .ok_or(Refusal::ManifestConflict)?;
    let certificates = store::devices::certificates(db, user).await?;
    let certificates: Result<Vec<DeviceCertificate>, _> =
        certificates.iter().map(|bytes| DeviceCertificate::from_bytes(bytes)).collect();
    Ok(Standing {
        root: contract::stored(RootPublicKey::from_bytes(&account.root_public_key))?,
        manifest: contract::stored(Manifest::from_bytes(&manifest))?,
        certificates: contract::stored(certificates)?,
    })
}

/// Puts a verified succession in force, with the prekeys of the device that joins, and tells every
/// node.
pub(super) async fn save(
    messaging: &Messaging,
    db: &TenantDb,
    user: (TenantId, UserId),
    succession: &Succession,
    prekeys: Option<&FirstPrekeys>,
    now: Timestamp,
) -> Result<(), Failure> {
    let issuer = match succession.manifest().statement().signer {
        plasma_identity::Issuer::Root => Issuer::Root,
        plasma_identity::Issuer::Device(_) => Issuer::Device,
    };
    messaging.list_changes.take_everywhere((user, issuer)).await?;
    let removed: Vec<DeviceId> = succession.removed().iter().copied().map(DeviceId).collect();
    let tx = db.begin().await?;
    if let Err(failure) = write(messaging, &tx, user, succession, prekeys, &removed, now).await {
        tx.rollback().await?;
        return Err(failure);
    }
    tx.commit().await?;
    announce(messaging, user, &removed).await;
    Ok(())
}

async fn write(
    messaging: &Messaging,
    tx: &TenantTx,
    user: (TenantId, UserId),
    succession: &Succession,
    prekeys: Option<&FirstPrekeys>,
    removed: &[DeviceId],
    now: Timestamp,
) -> Result<(), Failure> {
    if !store::accounts::replace_manifest(tx, user.1, succession).await? {
        return Err(Refusal::ManifestConflict.into());
    }
    if let Some((certificate, prekeys)) = succession.added().zip(prekeys) {
        insert_device(tx, certificate, prekeys, now).await?;
    }
    store::removal::remove(tx, removed, now).await?;
    record(messaging, tx, user.1, removed).await
}

/// Stores a new device with its prekeys.
pub(super) async fn insert_device(
    tx: &TenantTx,
    certificate: &DeviceCertificate,
    prekeys: &FirstPrekeys,
    now: Timestamp,
) -> Result<(), Failure> {
    let device = DeviceId(certificate.address().device);
    if !store::devices::insert(tx, certificate, now).await? {
        return Err(Refusal::from(IdentityCause::DeviceIdTaken).into());
    }
    store::prekeys::replace(tx, device, &prekeys.signed).await?;
    store::prekeys::replace(tx, device, &prekeys.last_resort).await?;
    Ok(())
}

/// Writes for every node that the list changed, and that the devices' tokens and streams have ended.
pub(super) async fn record(
    messaging: &Messaging,
    tx: &TenantTx,
    user: UserId,
    removed: &[DeviceId],
) -> Result<(), Failure> {
    changes::record(tx, &messaging.env, Change::Account(user)).await?;
    for device in removed {
        let subject = Subject::Device(*device);
        changes::record(tx, &messaging.env, Change::Revoked(subject)).await?;
    }
    Ok(())
}

/// Tells every node what changed, after the commit: the list first, so that nobody asks for a
/// removed device again.
pub(super) async fn announce(
    messaging: &Messaging,
    (tenant, user): (TenantId, UserId),
    removed: &[DeviceId],
) {
    messaging.events.emit(Event::AccountChanged(tenant, user)).await;
    for device in removed {
        let subject = Subject::Device(*device);
        messaging.events.emit(Event::Revoked { tenant, subject }).await;
    }
}
