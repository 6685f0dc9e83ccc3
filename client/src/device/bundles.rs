//! What starts sessions that are missing: bundles of the service, taken before a transaction.

use std::collections::HashMap;

use plasma_e2ee::PrekeyBundle;
use plasma_identity::{DeviceAddress, DeviceCertificate, SignedPrekey, VerifiedAccount};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::key_service_client::KeyServiceClient;
use rusqlite::{Connection, Transaction};
use tonic::transport::Channel;

use super::Device;
use crate::error::Error;
use crate::store::{StoreError, sessions};
use crate::{id, wire};

/// Bundles by the device that they are for.
pub(super) type Bundles = HashMap<DeviceAddress, PrekeyBundle>;

/// Devices of an account.
type Target<'a> = (&'a VerifiedAccount, Vec<DeviceAddress>);

impl Device {
    /// Changes the store with a bundle at hand for each device that there is no session with.
    ///
    /// One at a time, so that two sends at once do not take two bundles of one device. Receiving
    /// does not wait for it: a session that is left for a retry request meanwhile is noticed
    /// inside the transaction, and its bundle is taken too.
    pub(super) async fn with_bundles<T>(
        &self,
        targets: &[Target<'_>],
        mut change: impl FnMut(&Transaction<'_>, &Bundles) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _one_at_a_time = self.inner.sealing.lock().await;
        let mut bundles = Bundles::new();
        loop {
            for target in targets {
                let missing = self.inner.store.read(|db| self.missing(db, target, &bundles))?;
                if !missing.is_empty() {
                    self.take_bundles(target.0, &missing, &mut bundles).await?;
                }
            }
            let changed = self.inner.store.write(|tx| {
                for target in targets {
                    if !self.missing(tx, target, &bundles)?.is_empty() {
                        return Ok(None);
                    }
                }
                change(tx, &bundles).map(Some)
            })?;
            if let Some(changed) = changed {
                return Ok(changed);
            }
        }
    }

    /// Lists the devices that there is neither a session with nor a bundle for.
    fn missing(
        &self,
        connection: &Connection,
        (_, devices): &Target<'_>,
        bundles: &Bundles,
    ) -> Result<Vec<DeviceAddress>, StoreError> {
        let (local, now) = (self.address(), self.inner.env.now_seconds());
        let mut missing = Vec::new();
        for device in devices.iter().filter(|device| !bundles.contains_key(device)) {
            if sessions::load(connection, local, *device)?.needs_initiation(now) {
                missing.push(*device);
            }
        }
        Ok(missing)
    }

    async fn take_bundles(
        &self,
        account: &VerifiedAccount,
        devices: &[DeviceAddress],
        bundles: &mut Bundles,
    ) -> Result<(), Error> {
        let user = account.user_address();
        let request = pb::TakePrekeyBundlesRequest {
            user: Some(wire::user(user)),
            device_ids: devices.iter().map(|device| id::format("device", device.device)).collect(),
        };
        let operation = |channel: Channel, request| async move {
            KeyServiceClient::new(channel).take_prekey_bundles(request).await
        };
        for bundle in self.call(request, operation).await?.bundles {
            let device = id::parse("device", &bundle.device_id)?;
            let certificate = account.device(device).ok_or(Error::Answer("bundles"))?;
            bundles.insert(user.device(device), read_bundle(certificate, &bundle)?);
        }
        let given = devices.iter().all(|device| bundles.contains_key(device));
        if given { Ok(()) } else { Err(Error::Answer("bundles")) }
    }
}

fn read_bundle(
    certificate: &DeviceCertificate,
    bundle: &pb::PrekeyBundle,
) -> Result<PrekeyBundle, Error> {
    let read = |bytes: &[u8]| SignedPrekey::from_bytes(bytes).map_err(|_| Error::Answer("bundles"));
    let one_time = &bundle.one_time_prekey;
    Ok(PrekeyBundle {
        certificate: *certificate,
        signed: read(&bundle.signed_prekey)?,
        kem: read(&bundle.kem_prekey)?,
        one_time: if one_time.is_empty() { None } else { Some(read(one_time)?) },
    })
}
