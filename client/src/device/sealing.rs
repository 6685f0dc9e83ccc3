//! One content becomes an envelope for every device of two accounts.

use std::collections::HashMap;

use plasma_e2ee::{LocalDevice, PrekeyBundle, RemoteDevice, encrypt, initiate};
use plasma_identity::{DeviceAddress, DeviceCertificate, SignedPrekey, VerifiedAccount};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::key_service_client::KeyServiceClient;
use rusqlite::Transaction;
use tonic::transport::Channel;
use uuid::Uuid;

use super::Device;
use crate::error::Error;
use crate::id;
use crate::store::sessions;
use crate::wire;

/// The envelopes of one content, for the device sets that two manifests name.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) peer: Vec<pb::DeviceEnvelope>,
    pub(crate) own: Vec<pb::DeviceEnvelope>,
}

type Bundles = HashMap<DeviceAddress, PrekeyBundle>;

impl Device {
    /// Seals a content for every device of `peer` and every other device of `own`.
    ///
    /// Sessions that are missing are started from bundles of the service. Every changed session is
    /// kept, in one transaction, before an envelope can leave.
    pub(crate) async fn seal(
        &self,
        own: &VerifiedAccount,
        peer: &VerifiedAccount,
        content: &[u8],
    ) -> Result<Sealed, Error> {
        let _one_at_a_time = self.inner.sealing.lock().await;
        let bundles = self.missing_bundles(&[peer, own]).await?;
        self.inner.store.write(|tx| {
            let seal_for = |account| self.seal_for_all(tx, own, account, &bundles, content);
            Ok(Sealed { peer: seal_for(peer)?, own: seal_for(own)? })
        })
    }

    /// Seals a content for every other device of `own` alone.
    pub(crate) async fn seal_own(
        &self,
        own: &VerifiedAccount,
        content: &[u8],
    ) -> Result<Vec<pb::DeviceEnvelope>, Error> {
        let _one_at_a_time = self.inner.sealing.lock().await;
        let bundles = self.missing_bundles(&[own]).await?;
        self.inner.store.write(|tx| self.seal_for_all(tx, own, own, &bundles, content))
    }

    /// Takes bundles for the devices that there is no session with.
    async fn missing_bundles(&self, accounts: &[&VerifiedAccount]) -> Result<Bundles, Error> {
        let mut bundles = Bundles::new();
        for account in accounts {
            let missing = self.without_session(account)?;
            if !missing.is_empty() {
                self.take_bundles(account, &missing, &mut bundles).await?;
            }
        }
        Ok(bundles)
    }

    fn seal_for_all(
        &self,
        tx: &Transaction<'_>,
        own: &VerifiedAccount,
        account: &VerifiedAccount,
        bundles: &Bundles,
        content: &[u8],
    ) -> Result<Vec<pb::DeviceEnvelope>, Error> {
        self.others(account)
            .map(|device| self.seal_for(tx, own, account, device, bundles, content))
            .collect()
    }

    /// Lists an account's devices but this one.
    fn others<'a>(
        &self,
        account: &'a VerifiedAccount,
    ) -> impl Iterator<Item = &'a DeviceCertificate> {
        let this = self.address();
        account.devices().iter().filter(move |device| device.address() != this)
    }

    fn without_session(&self, account: &VerifiedAccount) -> Result<Vec<Uuid>, Error> {
        let (local, now) = (self.address(), self.inner.env.now_seconds());
        self.inner.store.read(|db| {
            let mut missing = Vec::new();
            for device in self.others(account) {
                if sessions::load(db, local, device.address())?.needs_initiation(now) {
                    missing.push(device.address().device);
                }
            }
            Ok(missing)
        })
    }

    async fn take_bundles(
        &self,
        account: &VerifiedAccount,
        devices: &[Uuid],
        bundles: &mut Bundles,
    ) -> Result<(), Error> {
        let user = account.user_address();
        let request = pb::TakePrekeyBundlesRequest {
            user: Some(wire::user(user)),
            device_ids: devices.iter().map(|device| id::format("device", *device)).collect(),
        };
        let operation = |channel: Channel, request| async move {
            KeyServiceClient::new(channel).take_prekey_bundles(request).await
        };
        for bundle in self.call(request, operation).await?.bundles {
            let device = id::parse("device", &bundle.device_id)?;
            let certificate = account.device(device).ok_or(Error::Answer("bundles"))?;
            bundles.insert(user.device(device), read_bundle(certificate, &bundle)?);
        }
        Ok(())
    }

    fn seal_for(
        &self,
        tx: &Transaction<'_>,
        own: &VerifiedAccount,
        account: &VerifiedAccount,
        device: &DeviceCertificate,
        bundles: &Bundles,
        content: &[u8],
    ) -> Result<pb::DeviceEnvelope, Error> {
        let env = &self.inner.env;
        let now = env.now_seconds();
        let address = device.address();
        let local = LocalDevice::new(&self.inner.keys, own)?;
        let remote = RemoteDevice::new(account, address.device)?;
        let mut record = sessions::load(tx, local.address(), address)?;
        if record.needs_initiation(now) {
            let bundle = bundles.get(&address).ok_or(Error::Answer("bundles"))?;
            initiate(&mut record, &local, &remote, bundle, &mut env.rng(), now)
                .map_err(|cause| Error::Bundle { device: address, cause })?;
        }
        let ciphertext = encrypt(&mut record, &local, &remote, content, &mut env.rng(), now)?;
        sessions::save(tx, &record)?;
        Ok(pb::DeviceEnvelope {
            device_id: id::format("device", address.device),
            ciphertext: ciphertext.into(),
        })
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
