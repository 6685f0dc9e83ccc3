//! The outbox of control messages: each is for one device, and repeated until it is decided.

use std::time::Duration;

use plasma_e2ee::RetryRequest;
use plasma_identity::VerifiedAccount;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use tonic::transport::Channel;

use crate::device::Device;
use crate::error::Error;
use crate::id;
use crate::store::control::{self, Control, Load};
use crate::store::{accounts, undecryptable};

/// How long to wait where the service says that it is too much, and not how long.
const PAUSE: Duration = Duration::from_mins(10);

impl Device {
    /// Sends the control messages that are due, one after the other. Ends at the first that finds
    /// the service out of reach.
    pub(crate) async fn deliver_controls(&self) -> Result<(), Error> {
        let _one_at_a_time = self.inner.repairing.lock().await;
        let env = &self.inner.env;
        self.inner.store.write(|tx| control::delete_outdated(tx, env.now_seconds()))?;
        let mut behind = 0;
        let next =
            |behind| self.inner.store.read(|db| control::next_due(db, behind, env.now_seconds()));
        while let Some((position, control)) = next(behind)? {
            behind = position;
            match self.deliver(&control).await {
                Ok(()) => self.inner.store.write(|tx| control::delete(tx, position))?,
                Err(error) if error.is_transient() || matches!(error, Error::Store(_)) => {
                    return Err(error);
                }
                // Waits for the person, or for its turn at the service.
                Err(Error::IdentityChanged { .. }) => {}
                Err(error) if is_too_much(&error) => {
                    let pause = error.retry_after().unwrap_or(PAUSE).as_secs().max(1);
                    let due = env.now_seconds() + pause;
                    self.inner.store.write(|tx| control::postpone(tx, position, due))?;
                }
                Err(error) => self.give_up(position, &control, &error)?,
            }
        }
        Ok(())
    }

    /// Sends a control message, if it is still to be sent.
    async fn deliver(&self, control: &Control) -> Result<(), Error> {
        let Some(ciphertext) = self.prepare(control).await? else { return Ok(()) };
        let request = pb::SendControlRequest {
            chat_id: control.chat.map(|chat| chat.to_string()).unwrap_or_default(),
            message_id: control.message.to_string(),
            envelope: Some(pb::DeviceEnvelope {
                device_id: id::format("device", control.device.device),
                ciphertext: ciphertext.into(),
            }),
        };
        let operation = |channel: Channel, request| async move {
            MessageServiceClient::new(channel).send_control(request).await
        };
        self.call(request, operation).await?;
        Ok(())
    }

    /// Makes what is to be sent; `None` where its device is one no more, or where the message has
    /// been deleted or has disappeared.
    pub(super) async fn prepare(&self, control: &Control) -> Result<Option<Vec<u8>>, Error> {
        let Some(account) = self.account_for(control)? else {
            tracing::debug!("what was for a removed device is not sent");
            return Ok(None);
        };
        match &control.load {
            Load::Request(bytes) => Ok(Some(bytes.clone())),
            Load::Content { message, leaving } => {
                if let Some(request) = leaving {
                    self.inner.store.write(|tx| self.leave_in_time(tx, request))?;
                }
                self.seal_logged(&account, control.device, *message).await
            }
        }
    }

    /// The account whose current manifest lists the device; `None` where none does, so that a
    /// revoked device gets nothing.
    fn account_for(&self, control: &Control) -> Result<Option<VerifiedAccount>, Error> {
        let user = control.device.user_address();
        let Some(known) = self.inner.store.read(|db| accounts::load(db, user))? else {
            return Ok(None);
        };
        if known.account.device(control.device.device).is_none() {
            return Ok(None);
        }
        match control.load {
            Load::Request(_) => Ok(Some(known.account)),
            Load::Content { .. } => known.refuse_changed().map(Some),
        }
    }

    fn give_up(&self, position: i64, control: &Control, error: &Error) -> Result<(), Error> {
        tracing::info!(%error, "a control message was refused");
        self.inner.store.write(|tx| {
            if let Load::Request(bytes) = &control.load
                && let Ok(request) = RetryRequest::from_bytes(bytes)
            {
                undecryptable::give_up(tx, &request.envelope_hash())?;
            }
            Ok(control::delete(tx, position)?)
        })
    }
}

fn is_too_much(error: &Error) -> bool {
    matches!(error.reason(), Some(ErrorReason::RateLimited | ErrorReason::QueueFull))
}
