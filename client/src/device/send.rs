//! Sending: sealed for the devices there are, repeated until it is decided.

use plasma_identity::{UserAddress, VerifiedAccount};
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_proto::messaging::v1::send_own_response::Outcome as OwnOutcome;
use plasma_proto::messaging::v1::send_response::Outcome;
use tonic::transport::Channel;

use super::sealing::{Keeping, Unsealed};
use super::{Device, Learned};
use crate::content::{self, Body, ReceiptKind};
use crate::error::Error;
use crate::id::{self, ChatId, MessageId};
use crate::message::{Delivery, MessageState, SendReport};
use crate::store::messages;
use crate::store::outbox::{self, Outgoing, Route};

/// Attempts after the first, each for the device sets that the service has answered with.
const MISMATCHES_MAX: u32 = 5;

impl Device {
    /// Sends again what the service has not accepted yet, oldest first, and returns what became of
    /// each. Ends at the first that finds the service out of reach.
    pub async fn flush_outbox(&self) -> Result<Vec<SendReport>, Error> {
        let _one_at_a_time = self.inner.flushing.lock().await;
        let mut reports = Vec::new();
        for outgoing in self.inner.store.read(outbox::list)? {
            match self.transmit(&outgoing).await {
                Ok(report) => reports.push(report),
                Err(error) if error.is_transient() || error.is_rate_limited() => return Err(error),
                Err(error) => tracing::info!(%error, "a kept content was refused"),
            }
        }
        Ok(reports)
    }

    /// Sends what is in the outbox and takes it out once that is decided.
    pub(crate) async fn transmit(&self, outgoing: &Outgoing) -> Result<SendReport, Error> {
        let (message, content) = (outgoing.message, &outgoing.content);
        let result = match outgoing.route {
            Route::Chat(chat) => {
                self.transmit_to_chat(chat, message, content, Keeping::Stored).await
            }
            Route::Own => self.transmit_to_own_devices(message, content).await,
        };
        let state = match &result {
            Ok(_) => MessageState::Sent,
            Err(error) if stays_pending(error, outgoing) => {
                self.flush_later(error);
                return result;
            }
            Err(_) => MessageState::Failed,
        };
        let remains = match &result {
            // Whatever keeps the peer from hearing what was read: the own devices must.
            Err(_) if receipt_kind(outgoing) == Some(ReceiptKind::Read) => {
                Some(Outgoing { route: Route::Own, ..outgoing.clone() })
                    .filter(|_| outgoing.route != Route::Own)
            }
            _ => None,
        };
        self.inner.store.write(|tx| {
            outbox::delete(tx, message)?;
            if let Some(remains) = &remains {
                outbox::insert(tx, remains)?;
            }
            messages::set_state(tx, self.address(), message, state)
        })?;
        match remains {
            Some(remains) => Box::pin(self.transmit(&remains)).await,
            None => result,
        }
    }

    /// Sends what is in the outbox, where nobody waits for the outcome: what is refused is dropped,
    /// and what finds the service out of reach stays for later.
    pub(crate) async fn transmit_patiently(&self, outgoing: &Outgoing) -> Result<(), Error> {
        match self.transmit(outgoing).await {
            Err(error @ Error::Store(_)) => Err(error),
            Err(error) => {
                tracing::debug!(%error, "a content was not sent");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Sends to those devices that are online now.
    pub(super) async fn transmit_ephemeral(
        &self,
        chat: ChatId,
        message: MessageId,
        content: &[u8],
    ) -> Result<SendReport, Error> {
        self.transmit_to_chat(chat, message, content, Keeping::Ephemeral).await
    }

    async fn transmit_to_chat(
        &self,
        chat: ChatId,
        message: MessageId,
        content: &[u8],
        keeping: Keeping,
    ) -> Result<SendReport, Error> {
        let known = self.known_chat(chat).await?;
        let unsealed = Unsealed { message, route: Route::Chat(chat), content, keeping };
        for _ in 0..=MISMATCHES_MAX {
            let peer = self.sendable_account(known.peer).await?;
            let own = self.own_account()?;
            let request = match self.seal(&own, &peer, unsealed).await {
                Ok(request) => request,
                Err(error) => {
                    self.follow_after(error, &[self.user(), known.peer]).await?;
                    continue;
                }
            };
            let operation = |channel: Channel, request| async move {
                MessageServiceClient::new(channel).send(request).await
            };
            let answer = match keeping {
                Keeping::Stored => self.call(request, operation).await?,
                // Repeated, the same envelope could reach a device twice, and nobody waits for it.
                Keeping::Ephemeral => self.call_once(request, operation).await?,
            };
            let mismatch = match answer.outcome {
                None => return Err(Error::Answer("outcome")),
                Some(Outcome::Accepted(accepted)) => return report(message, &accepted),
                Some(Outcome::Mismatch(mismatch)) => mismatch,
            };
            // Each is verified against what this device remembers; a device that nobody certified
            // or a list that goes back ends the attempt here.
            self.learn(self.user(), mismatch.own_account.as_ref(), None)?;
            self.learn_peer(&peer, mismatch.peer_account.as_ref())?;
        }
        Err(Error::DeviceSetUnstable)
    }

    async fn transmit_to_own_devices(
        &self,
        message: MessageId,
        content: &[u8],
    ) -> Result<SendReport, Error> {
        let keeping = Keeping::Stored;
        let unsealed = Unsealed { message, route: Route::Own, content, keeping };
        for _ in 0..=MISMATCHES_MAX {
            let own = self.own_account()?;
            if own.devices().len() <= 1 {
                return Ok(SendReport { message, deliveries: Vec::new() });
            }
            let envelopes = match self.seal_own(&own, unsealed).await {
                Ok(envelopes) => envelopes,
                Err(error) => {
                    self.follow_after(error, &[self.user()]).await?;
                    continue;
                }
            };
            let request = pb::SendOwnRequest {
                message_id: message.to_string(),
                envelopes,
                own_manifest_hash: own.manifest_hash().0.to_vec().into(),
            };
            let operation = |channel: Channel, request| async move {
                MessageServiceClient::new(channel).send_own(request).await
            };
            let mismatch = match self.call(request, operation).await?.outcome {
                None => return Err(Error::Answer("outcome")),
                Some(OwnOutcome::Accepted(accepted)) => return report(message, &accepted),
                Some(OwnOutcome::Mismatch(mismatch)) => mismatch,
            };
            self.learn(self.user(), mismatch.account.as_ref(), None)?;
        }
        Err(Error::DeviceSetUnstable)
    }

    /// Brings lists of devices up to date after the keys of a device were asked for that the service
    /// knows no more. Any other failure stays one.
    async fn follow_after(&self, error: Error, users: &[UserAddress]) -> Result<(), Error> {
        if error.reason() != Some(ErrorReason::NotFound) {
            return Err(error);
        }
        for user in users {
            self.refresh_account(*user).await?;
        }
        Ok(())
    }

    fn learn_peer(
        &self,
        peer: &VerifiedAccount,
        state: Option<&pb::AccountState>,
    ) -> Result<(), Error> {
        let Learned { known, changed_now } = self.learn(peer.user_address(), state, None)?;
        match changed_now {
            None => Ok(()),
            Some(before) => Err(Error::IdentityChanged {
                user: peer.user_address(),
                before,
                now: known.account.fingerprint(),
            }),
        }
    }
}

/// A message waits for the service to come back, for a person to accept a new identity, and for
/// somebody to pay; a receipt for the first alone.
fn stays_pending(error: &Error, outgoing: &Outgoing) -> bool {
    match error {
        Error::IdentityChanged { .. } => receipt_kind(outgoing).is_none(),
        _ if error.access_needed().is_some() => receipt_kind(outgoing).is_none(),
        Error::Store(_) => true,
        _ => error.is_transient() || error.is_rate_limited(),
    }
}

fn receipt_kind(outgoing: &Outgoing) -> Option<ReceiptKind> {
    match content::read(&outgoing.content)?.body {
        Body::Receipt { kind, .. } => Some(kind),
        _ => None,
    }
}

fn report(message: MessageId, accepted: &pb::SendAccepted) -> Result<SendReport, Error> {
    let delivery = |delivery: &pb::DeviceDelivery| {
        let device = id::parse("device", &delivery.device_id)?;
        Ok::<_, Error>(Delivery { device, state: delivery.state() })
    };
    let deliveries = accepted.deliveries.iter().map(delivery).collect::<Result<_, _>>()?;
    Ok(SendReport { message, deliveries })
}
