//! What opaque devices say to the service and to the bare relay, and what they hear.

use bytes::Bytes;
use plasma_proto::id;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::receive_response::Event;
use plasma_proto::messaging::v1::send_response::Outcome;

use super::call_error::CallError;
use super::contact::Contact;
use super::session::decode;
use crate::generator::wire::frame;
use crate::ledger::{Answer, DeviceNumber, Mark};
use crate::relay;

/// The service's call that can go on a stream as well.
pub(super) const SEND: &str = "/plasma.messaging.v1.MessageService/Send";

/// Whom opaque devices talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// The service.
    Plasma,
    /// The bare relay.
    Bare,
}

/// A call: its path and its framed request.
pub(super) type Call = (&'static str, Bytes);

/// An envelope as it was heard.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) envelope: u128,
    /// The message's id and its sender, as the service says them; the bare relay does not.
    pub(super) said: Option<(u128, u128)>,
    pub(super) ciphertext: Bytes,
}

/// What is heard on a stream.
#[derive(Debug)]
pub(super) enum Sound {
    Hello,
    Envelope(Heard),
    QueueEmpty,
    Resume,
    /// The answer to a send on the stream.
    Answer(u64, Result<Bytes, CallError>),
    /// Nothing to act on.
    Other,
}

/// What the service did with a send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Accepted(Vec<(u128, Answer)>),
    /// The envelopes are not those of the devices there are.
    Mismatch,
}

impl Speech {
    /// Whether a stream says when its device is up to date; else it is from its beginning.
    pub(super) fn says_when_ready(self) -> bool {
        self == Self::Plasma
    }

    pub(super) fn send(
        self,
        contact: &Contact,
        own_manifest_hash: &Bytes,
        mark: Mark,
        ciphertext: Bytes,
    ) -> Call {
        let device_id = id::format("device", contact.peer_id);
        match self {
            Self::Plasma => {
                let request = pb::SendRequest {
                    chat_id: contact.chat_id.clone(),
                    message_id: id::format("msg", mark.message_id()),
                    peer_envelopes: vec![pb::DeviceEnvelope { device_id, ciphertext }],
                    own_envelopes: Vec::new(),
                    peer_manifest_hash: contact.manifest_hash.clone(),
                    own_manifest_hash: own_manifest_hash.clone(),
                    ephemeral: false,
                    envelope_class: pb::EnvelopeClass::Message.into(),
                };
                (SEND, frame(&request).into())
            }
            Self::Bare => {
                let envelope_id = id::format("env", mark.message_id());
                let request = relay::SendRequest { device_id, envelope_id, ciphertext };
                (relay::SEND_PATH, frame(&request).into())
            }
        }
    }

    pub(super) fn read_reply(self, answer: &[u8], to: u128) -> Result<Reply, CallError> {
        if self == Self::Bare {
            return Ok(Reply::Accepted(vec![(to, Answer::Relayed)]));
        }
        match decode::<pb::SendResponse>(answer)?.outcome {
            None => Err(CallError::Answer("a send has no outcome".to_owned())),
            Some(Outcome::Mismatch(_)) => Ok(Reply::Mismatch),
            Some(Outcome::Accepted(accepted)) => {
                let answers = accepted.deliveries.iter().map(|delivery| {
                    let answer = match delivery.state() {
                        pb::DeliveryState::Delivered => Answer::Delivered,
                        pb::DeliveryState::Stored => Answer::Stored,
                        pb::DeliveryState::Revoked => Answer::Revoked,
                        state @ (pb::DeliveryState::Unspecified | pb::DeliveryState::Dropped) => {
                            return Err(CallError::Answer(format!("the state {state:?}")));
                        }
                    };
                    Ok((read_id("device", &delivery.device_id)?, answer))
                });
                Ok(Reply::Accepted(answers.collect::<Result<_, _>>()?))
            }
        }
    }

    pub(super) fn receive(self, own_id: u128) -> Call {
        match self {
            Self::Plasma => {
                let request = frame(&pb::ReceiveRequest {}).into();
                ("/plasma.messaging.v1.MessageService/Receive", request)
            }
            Self::Bare => {
                let device_id = id::format("device", own_id);
                (relay::RECEIVE_PATH, frame(&relay::ReceiveRequest { device_id }).into())
            }
        }
    }

    pub(super) fn read_event(self, event: &[u8]) -> Result<Sound, CallError> {
        if self == Self::Bare {
            let envelope: relay::Envelope = decode(event)?;
            return Ok(Sound::Envelope(Heard {
                envelope: read_id("env", &envelope.envelope_id)?,
                said: None,
                ciphertext: envelope.ciphertext,
            }));
        }
        Ok(match decode::<pb::ReceiveResponse>(event)?.event {
            Some(Event::Hello(_)) => Sound::Hello,
            Some(Event::Envelope(envelope)) => Sound::Envelope(heard(envelope)?),
            Some(Event::QueueEmpty(_)) => Sound::QueueEmpty,
            Some(Event::Resume(_)) => Sound::Resume,
            Some(Event::Heartbeat(_)) | None => Sound::Other,
        })
    }

    /// The calls that acknowledge envelopes, each with what it acknowledges.
    pub(super) fn acknowledge(self, envelopes: &[u128]) -> Vec<(Call, Vec<u128>)> {
        let text = |envelope: &u128| id::format("env", *envelope);
        match self {
            Self::Plasma => {
                let envelope_ids = envelopes.iter().map(text).collect();
                let request = frame(&pb::AcknowledgeRequest { envelope_ids }).into();
                let path = "/plasma.messaging.v1.MessageService/Acknowledge";
                vec![((path, request), envelopes.to_vec())]
            }
            Self::Bare => {
                let envelope_ids = envelopes.iter().map(text).collect();
                let request = frame(&relay::AcknowledgeRequest { envelope_ids }).into();
                vec![((relay::ACKNOWLEDGE_PATH, request), envelopes.to_vec())]
            }
        }
    }
}

pub(super) fn heard(envelope: pb::Envelope) -> Result<Heard, CallError> {
    let sender = envelope.sender.unwrap_or_default();
    Ok(Heard {
        envelope: read_id("env", &envelope.envelope_id)?,
        said: Some((read_id("msg", &envelope.message_id)?, read_id("device", &sender.device_id)?)),
        ciphertext: envelope.ciphertext,
    })
}

fn read_id(prefix: &str, text: &str) -> Result<u128, CallError> {
    id::parse(prefix, text).ok_or_else(|| CallError::Answer(format!("{text} is no {prefix}_…")))
}

/// The number in the book of a device that an answer names.
pub(super) fn number_of(contact: &Contact, id: u128) -> DeviceNumber {
    // One that was not addressed has no number: the book finds it wrong.
    if id == contact.peer_id { contact.peer } else { DeviceNumber::MAX }
}
