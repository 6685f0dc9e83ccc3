//! One content becomes an envelope for every device of two accounts.

use std::collections::HashMap;

use plasma_e2ee::{LocalDevice, PrekeyBundle, RemoteDevice, encrypt, envelope_hash, initiate};
use plasma_identity::{DeviceAddress, DeviceCertificate, SignedPrekey, VerifiedAccount};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::key_service_client::KeyServiceClient;
use rusqlite::Transaction;
use tonic::transport::Channel;
use uuid::Uuid;

use super::Device;
use crate::content::{self, Body};
use crate::error::Error;
use crate::id::{self, MessageId};
use crate::message::MessageRef;
use crate::store::outbox::Route;
use crate::store::sent_log::{self, Sent};
use crate::store::sessions;
use crate::wire;

/// The envelopes of one content, for the device sets that two manifests name.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) peer: Vec<pb::DeviceEnvelope>,
    pub(crate) own: Vec<pb::DeviceEnvelope>,
}

/// A sealed content goes through the service's memory, or to whoever is online and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    Stored,
    Ephemeral,
}

/// A content to be sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unsealed<'a> {
    pub(crate) message: MessageId,
    pub(crate) route: Route,
    pub(crate) content: &'a [u8],
    pub(crate) keeping: Keeping,
}

type Bundles = HashMap<DeviceAddress, PrekeyBundle>;

impl Device {
    /// Seals a content for every device of `peer` and every other device of `own`.
    ///
    /// Sessions that are missing are started from bundles of the service. Every changed session is
    /// kept, in one transaction with what is needed to send the content again, before an envelope
    /// can leave.
    pub(crate) async fn seal(
        &self,
        own: &VerifiedAccount,
        peer: &VerifiedAccount,
        unsealed: Unsealed<'_>,
    ) -> Result<Sealed, Error> {
        let _one_at_a_time = self.inner.sealing.lock().await;
        let bundles = self.missing_bundles(&[peer, own]).await?;
        self.inner.store.write(|tx| {
            self.log(tx, unsealed)?;
            let seal_for = |account| self.seal_for_all(tx, own, account, &bundles, unsealed);
            Ok(Sealed { peer: seal_for(peer)?, own: seal_for(own)? })
        })
    }

    /// Seals a content for every other device of `own` alone.
    pub(crate) async fn seal_own(
        &self,
        own: &VerifiedAccount,
        unsealed: Unsealed<'_>,
    ) -> Result<Vec<pb::DeviceEnvelope>, Error> {
        let _one_at_a_time = self.inner.sealing.lock().await;
        let bundles = self.missing_bundles(&[own]).await?;
        self.inner.store.write(|tx| {
            self.log(tx, unsealed)?;
            self.seal_for_all(tx, own, own, &bundles, unsealed)
        })
    }

    /// Seals a content of the sent log for one device; `None` where it has been forgotten.
    pub(crate) async fn seal_logged(
        &self,
        account: &VerifiedAccount,
        device: DeviceAddress,
        message: MessageId,
    ) -> Result<Option<Vec<u8>>, Error> {
        let _one_at_a_time = self.inner.sealing.lock().await;
        let own = self.own_account()?;
        let certificate = account.device(device.device).ok_or(Error::Answer("device"))?;
        let now = self.inner.env.now_seconds();
        let record = self.inner.store.read(|db| sessions::load(db, self.address(), device))?;
        let mut bundles = Bundles::new();
        if record.needs_initiation(now) {
            self.take_bundles(account, &[device.device], &mut bundles).await?;
        }
        self.inner.store.write(|tx| {
            let Some(content) = sent_log::content(tx, message)? else { return Ok(None) };
            let ciphertext = self.seal_for(tx, &own, account, certificate, &bundles, &content)?;
            sent_log::note_envelope(tx, device, &envelope_hash(&ciphertext), message)?;
            Ok(Some(ciphertext))
        })
    }

    /// Keeps a content for as long as it may be asked for again.
    fn log(&self, tx: &Transaction<'_>, unsealed: Unsealed<'_>) -> Result<(), Error> {
        if unsealed.keeping == Keeping::Ephemeral {
            return Ok(());
        }
        let own = MessageRef { sender: self.address(), id: unsealed.message };
        let sent = Sent {
            message: unsealed.message,
            // An edit goes with the message whose text it holds.
            carries: match content::read(unsealed.content).map(|opened| opened.body) {
                Some(Body::Edit { message, .. }) => message,
                _ => own,
            },
            chat: match unsealed.route {
                Route::Chat(chat) => Some(chat),
                Route::Own => None,
            },
            content: unsealed.content,
        };
        Ok(sent_log::keep(tx, &sent, self.inner.env.now_seconds())?)
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
        unsealed: Unsealed<'_>,
    ) -> Result<Vec<pb::DeviceEnvelope>, Error> {
        let mut envelopes = Vec::new();
        for device in self.others(account) {
            let ciphertext = self.seal_for(tx, own, account, device, bundles, unsealed.content)?;
            let address = device.address();
            if unsealed.keeping == Keeping::Stored {
                let hash = envelope_hash(&ciphertext);
                sent_log::note_envelope(tx, address, &hash, unsealed.message)?;
            }
            envelopes.push(pb::DeviceEnvelope {
                device_id: id::format("device", address.device),
                ciphertext: ciphertext.into(),
            });
        }
        Ok(envelopes)
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
    ) -> Result<Vec<u8>, Error> {
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
        Ok(ciphertext)
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
