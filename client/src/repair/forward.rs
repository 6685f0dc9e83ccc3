//! What a sender sent without having seen an own device reaches that device through this one.

use plasma_e2ee::{MAX_CONTENT_LENGTH, peek};
use plasma_identity::{DeviceAddress, DeviceCertificate, ManifestHash};
use plasma_proto::content::v1::{Forward, content::Body as PbBody};
use rusqlite::Transaction;

use crate::content::Body;
use crate::device::Device;
use crate::error::Error;
use crate::id::MessageId;
use crate::message::MessageRef;
use crate::store::control::{self, Control, Load};
use crate::store::sent_log::{self, Sent};
use crate::store::{accounts, forwarded};

impl Device {
    /// Forwards a content to each own device that the sender's view of this account, named by the
    /// envelope, did not list and the current one does.
    ///
    /// The envelope has been decrypted, so that what it names is authenticated.
    pub(crate) fn forward_to_left_out(
        &self,
        tx: &Transaction<'_>,
        envelope: &[u8],
        message: MessageRef,
        body: &Body,
        content: &[u8],
    ) -> Result<(), Error> {
        let worth_it = !matches!(body, Body::Forward { .. } | Body::Typing { .. });
        let Ok(info) = peek(envelope) else { return Ok(()) };
        if !worth_it {
            return Ok(());
        }
        for device in self.left_out(tx, info.recipient_manifest.hash)? {
            let now = self.inner.env.now_seconds();
            if device != message.sender && forwarded::insert(tx, &message, device, now)? {
                // An edit goes with the message whose text it holds.
                let carries = match body {
                    Body::Edit { message, .. } => *message,
                    _ => message,
                };
                self.forward(tx, message, carries, device, content)?;
            }
        }
        Ok(())
    }

    fn left_out(
        &self,
        tx: &Transaction<'_>,
        seen: ManifestHash,
    ) -> Result<Vec<DeviceAddress>, Error> {
        let own = accounts::load(tx, self.user())?.ok_or(Error::NotRegistered)?.account;
        let devices = own.devices().iter().map(DeviceCertificate::address);
        let missed = |device: &DeviceAddress| own.certificate_at(seen, device.device).is_none();
        Ok(devices.filter(|device| *device != self.address()).filter(missed).collect())
    }

    fn forward(
        &self,
        tx: &Transaction<'_>,
        written: MessageRef,
        carries: MessageRef,
        device: DeviceAddress,
        content: &[u8],
    ) -> Result<(), Error> {
        let now = self.inner.env.now_seconds();
        let message = MessageId(self.inner.env.time_ordered_id());
        let body = PbBody::Forward(Forward {
            sender: written.sender.to_bytes().to_vec().into(),
            content: content.to_vec().into(),
        });
        let content = match self.encode(None, message, 0, body) {
            Ok(content) => content,
            Err(Error::TextTooLong) => {
                tracing::info!(MAX_CONTENT_LENGTH, "a message is too long to be forwarded");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let sent = Sent { message, carries, chat: None, content: &content };
        sent_log::keep(tx, &sent, now)?;
        let load = Load::Content { message, leaving: None };
        control::insert(tx, &Control { message, device, chat: None, load }, now)?;
        Ok(())
    }
}
