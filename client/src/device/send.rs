//! Sending: kept first, sealed for the devices there are, repeated until it is decided.

use plasma_identity::VerifiedAccount;
use plasma_proto::content::v1::{Content, Text, content::Body};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::message_service_client::MessageServiceClient;
use plasma_proto::messaging::v1::send_response::Outcome;
use prost::Message as _;
use tonic::transport::Channel;

use super::{Device, Learned};
use crate::error::Error;
use crate::id::{self, ChatId, MessageId};
use crate::message::{Delivery, Direction, Message, MessageState, SendReport};
use crate::store::outbox::{self, Outgoing};
use crate::store::{chats, messages};
use crate::wire;

/// Attempts after the first, each for the device sets that the service has answered with.
const MISMATCHES_MAX: u32 = 5;

impl Device {
    /// Sends a text to every device of the peer and every other device of this user.
    ///
    /// The message is in the history from now on. When the service is out of reach for longer than
    /// the endpoint's patience it stays [`MessageState::Pending`], and is sent again, as the same
    /// message, by [`Device::flush_outbox`] or as soon as the device listens again. A refusal makes
    /// it [`MessageState::Failed`].
    pub async fn send_text(&self, chat: ChatId, text: &str) -> Result<SendReport, Error> {
        let known = self.known_chat(chat).await?;
        self.sendable_account(known.peer).await?;
        let outgoing = self.write_down(chat, text)?;
        self.transmit(&outgoing).await
    }

    /// Sends again what the service has not accepted yet, oldest first, and returns what became of
    /// each. Ends at the first that finds the service out of reach.
    pub async fn flush_outbox(&self) -> Result<Vec<SendReport>, Error> {
        let _one_at_a_time = self.inner.flushing.lock().await;
        let mut reports = Vec::new();
        for outgoing in self.inner.store.read(outbox::list)? {
            match self.transmit(&outgoing).await {
                Ok(report) => reports.push(report),
                Err(error) if error.is_transient() => return Err(error),
                Err(error) => tracing::info!(%error, "a kept message was refused"),
            }
        }
        Ok(reports)
    }

    fn write_down(&self, chat: ChatId, text: &str) -> Result<Outgoing, Error> {
        let env = &self.inner.env;
        let id = MessageId(env.time_ordered_id());
        let now = env.now_micros();
        self.inner.store.write(|tx| {
            let lamport = chats::next_lamport(tx, chat)?;
            let content = Content {
                chat_id: chat.0.as_bytes().to_vec().into(),
                message_id: id.0.as_bytes().to_vec().into(),
                lamport,
                write_time: Some(wire::timestamp(now)),
                body: Some(Body::Text(Text { body: text.to_owned(), ..Text::default() })),
            }
            .encode_to_vec();
            if content.len() > plasma_e2ee::MAX_CONTENT_LENGTH {
                return Err(Error::TextTooLong);
            }
            let message = Message {
                chat,
                id,
                sender: self.address(),
                lamport,
                text: text.to_owned(),
                write_micros: now,
                direction: Direction::Outgoing,
                state: MessageState::Pending,
                from_removed_device: false,
            };
            messages::insert(tx, &message, now)?;
            let outgoing = Outgoing { message: id, chat, content };
            outbox::insert(tx, &outgoing)?;
            Ok(outgoing)
        })
    }

    async fn transmit(&self, outgoing: &Outgoing) -> Result<SendReport, Error> {
        let result = self.transmit_to_current_devices(outgoing).await;
        let state = match &result {
            Ok(_) => MessageState::Sent,
            Err(error) if self.stays_pending(error) => return result,
            Err(_) => MessageState::Failed,
        };
        self.inner.store.write(|tx| {
            outbox::delete(tx, outgoing.message)?;
            messages::set_state(tx, self.address(), outgoing.message, state)
        })?;
        result
    }

    /// A message waits for the service to come back, and for a person to accept a new identity.
    #[expect(clippy::unused_self, reason = "reads as a question about this device's outbox")]
    fn stays_pending(&self, error: &Error) -> bool {
        error.is_transient() || matches!(error, Error::IdentityChanged { .. } | Error::Store(_))
    }

    async fn transmit_to_current_devices(&self, outgoing: &Outgoing) -> Result<SendReport, Error> {
        let chat = self.known_chat(outgoing.chat).await?;
        for _ in 0..=MISMATCHES_MAX {
            let peer = self.sendable_account(chat.peer).await?;
            let own = self.own_account()?;
            let request = self.request(outgoing, &own, &peer).await?;
            let operation = |channel: Channel, request| async move {
                MessageServiceClient::new(channel).send(request).await
            };
            let mismatch = match self.call(request, operation).await?.outcome {
                None => return Err(Error::Answer("outcome")),
                Some(Outcome::Accepted(accepted)) => return report(outgoing.message, &accepted),
                Some(Outcome::Mismatch(mismatch)) => mismatch,
            };
            // Each is verified against what this device remembers; a device that nobody certified
            // or a list that goes back ends the attempt here.
            self.learn(self.user(), mismatch.own_account.as_ref(), None)?;
            self.learn_peer(&peer, mismatch.peer_account.as_ref())?;
        }
        Err(Error::DeviceSetUnstable)
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

    async fn request(
        &self,
        outgoing: &Outgoing,
        own: &VerifiedAccount,
        peer: &VerifiedAccount,
    ) -> Result<pb::SendRequest, Error> {
        let sealed = self.seal(own, peer, &outgoing.content).await?;
        Ok(pb::SendRequest {
            chat_id: outgoing.chat.to_string(),
            message_id: outgoing.message.to_string(),
            peer_envelopes: sealed.peer,
            own_envelopes: sealed.own,
            peer_manifest_hash: peer.manifest_hash().0.to_vec().into(),
            own_manifest_hash: own.manifest_hash().0.to_vec().into(),
            ephemeral: false,
        })
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
