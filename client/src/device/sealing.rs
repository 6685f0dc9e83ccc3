//! One content becomes an envelope for every device of two accounts.

use bytes::Bytes;
use plasma_e2ee::{LocalDevice, RemoteDevice, encrypt, envelope_hash, initiate};
use plasma_identity::{DeviceAddress, DeviceCertificate, VerifiedAccount};
use plasma_proto::messaging::v1 as pb;
use prost::Message as _;
use rusqlite::Transaction;

use super::Device;
use super::bundles::Bundles;
use crate::content::{self, Body};
use crate::error::Error;
use crate::id::{self, MessageId};
use crate::message::MessageRef;
use crate::store::outbox::{self, Route};
use crate::store::sent_log::{self, Sent};
use crate::store::sessions;

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

impl Device {
    /// Seals a content of a chat for every device of `peer` and every other device of `own`.
    ///
    /// One that waits in the outbox is kept there as it is sealed, and is the answer for as long as
    /// the manifests are the same: sent again it is the same message to the service, which counts
    /// what is sealed anew once more. Sessions that are missing are started from bundles of the service. Every changed session is
    /// kept, in one transaction with what is needed to send the content again, before an envelope
    /// can leave.
    pub(crate) async fn seal(
        &self,
        own: &VerifiedAccount,
        peer: &VerifiedAccount,
        unsealed: Unsealed<'_>,
    ) -> Result<pb::SendRequest, Error> {
        let targets = [(peer, self.others(peer)), (own, self.others(own))];
        let peer_manifest_hash = Bytes::copy_from_slice(&peer.manifest_hash().0);
        let own_manifest_hash = Bytes::copy_from_slice(&own.manifest_hash().0);
        self.with_bundles(&targets, |tx, bundles| {
            let before = outbox::sealed(tx, unsealed.message)?.filter(|before| {
                before.peer_manifest_hash == peer_manifest_hash
                    && before.own_manifest_hash == own_manifest_hash
            });
            if let Some(before) = before {
                return Ok(before);
            }
            self.log(tx, unsealed)?;
            let seal_for = |account| self.seal_for_all(tx, own, account, bundles, unsealed);
            let request = pb::SendRequest {
                chat_id: chat(unsealed.route),
                message_id: unsealed.message.to_string(),
                peer_envelopes: seal_for(peer)?,
                own_envelopes: seal_for(own)?,
                peer_manifest_hash: peer_manifest_hash.clone(),
                own_manifest_hash: own_manifest_hash.clone(),
                ephemeral: unsealed.keeping == Keeping::Ephemeral,
                envelope_class: class(unsealed.content).into(),
            };
            outbox::keep_sealed(tx, unsealed.message, &request.encode_to_vec())?;
            Ok(request)
        })
        .await
    }

    /// Seals a content for every other device of `own` alone.
    pub(crate) async fn seal_own(
        &self,
        own: &VerifiedAccount,
        unsealed: Unsealed<'_>,
    ) -> Result<Vec<pb::DeviceEnvelope>, Error> {
        self.with_bundles(&[(own, self.others(own))], |tx, bundles| {
            self.log(tx, unsealed)?;
            self.seal_for_all(tx, own, own, bundles, unsealed)
        })
        .await
    }

    /// Seals a content of the sent log for one device; `None` where it has been forgotten.
    pub(crate) async fn seal_logged(
        &self,
        account: &VerifiedAccount,
        device: DeviceAddress,
        message: MessageId,
    ) -> Result<Option<Vec<u8>>, Error> {
        let own = self.own_account()?;
        self.with_bundles(&[(account, vec![device])], |tx, bundles| {
            let Some(content) = sent_log::content(tx, message)? else { return Ok(None) };
            let ciphertext = self.seal_for(tx, &own, account, device, bundles, &content)?;
            sent_log::note_envelope(tx, device, &envelope_hash(&ciphertext), message)?;
            Ok(Some(ciphertext))
        })
        .await
    }

    /// Keeps a content for as long as it may be asked for again.
    fn log(&self, tx: &Transaction<'_>, unsealed: Unsealed<'_>) -> Result<(), Error> {
        if unsealed.keeping == Keeping::Ephemeral {
            return Ok(());
        }
        let own = MessageRef { sender: self.address(), id: unsealed.message };
        let sent = Sent {
            message: unsealed.message,
            // An edit or a reaction goes with the message that it is about.
            carries: match content::read(unsealed.content).map(|opened| opened.body) {
                Some(Body::Edit { message, .. } | Body::Reaction { message, .. }) => message,
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
            if unsealed.keeping == Keeping::Stored {
                let hash = envelope_hash(&ciphertext);
                sent_log::note_envelope(tx, device, &hash, unsealed.message)?;
            }
            envelopes.push(pb::DeviceEnvelope {
                device_id: id::format("device", device.device),
                ciphertext: ciphertext.into(),
            });
        }
        Ok(envelopes)
    }

    /// Lists an account's devices but this one.
    fn others(&self, account: &VerifiedAccount) -> Vec<DeviceAddress> {
        let devices = account.devices().iter().map(DeviceCertificate::address);
        devices.filter(|device| *device != self.address()).collect()
    }

    fn seal_for(
        &self,
        tx: &Transaction<'_>,
        own: &VerifiedAccount,
        account: &VerifiedAccount,
        device: DeviceAddress,
        bundles: &Bundles,
        content: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let env = &self.inner.env;
        let now = env.now_seconds();
        let local = LocalDevice::new(&self.inner.keys, own)?;
        let remote = RemoteDevice::new(account, device.device)?;
        let mut record = sessions::load(tx, local.address(), device)?;
        if record.needs_initiation(now) {
            let bundle = bundles.get(&device).ok_or(Error::Answer("bundles"))?;
            initiate(&mut record, &local, &remote, bundle, &mut env.rng(), now)
                .map_err(|cause| Error::Bundle { device, cause })?;
        }
        let ciphertext = encrypt(&mut record, &local, &remote, content, &mut env.rng(), now)?;
        sessions::save(tx, &record)?;
        Ok(ciphertext)
    }
}

fn chat(route: Route) -> String {
    match route {
        Route::Chat(chat) => chat.to_string(),
        Route::Own => String::new(),
    }
}

/// The class under which a content is sent; one that is none is refused as such by whoever opens it.
fn class(content: &[u8]) -> pb::EnvelopeClass {
    content::read(content).map_or(pb::EnvelopeClass::Message, |opened| opened.body.class())
}
