//! The calls to the service.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use plasma_proto::messaging::v1 as pb;

use super::super::wire::{Field, fields, find, frame};
use super::{
    Event, Mark, NO_MARK, Protocol, SendTemplate, Sent, delivered, message_id, random_ciphertext,
    random_number,
};
use crate::enrollment::Enrolled;

/// The service's calls.
#[derive(Debug)]
pub struct PlasmaProtocol {
    load: u64,
    devices: Vec<(String, SendTemplate)>,
}

impl PlasmaProtocol {
    /// Takes devices in pairs that have a chat with each other.
    pub fn new(pairs: &[([Enrolled; 2], String)]) -> Result<Self> {
        let load = random_number();
        let mut devices = Vec::new();
        for (pair, chat_id) in pairs {
            for (own, peer) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
                let (id, ciphertext) = (message_id("msg", load, NO_MARK), random_ciphertext()?);
                let request = pb::SendRequest {
                    chat_id: chat_id.clone(),
                    message_id: id.clone(),
                    peer_envelopes: vec![pb::DeviceEnvelope {
                        device_id: peer.device_id(),
                        ciphertext: ciphertext.clone(),
                    }],
                    own_envelopes: Vec::new(),
                    peer_manifest_hash: peer.manifest_hash.clone(),
                    own_manifest_hash: own.manifest_hash.clone(),
                    ephemeral: false,
                };
                let template = SendTemplate::new(frame(&request), &id, &ciphertext)?;
                devices.push((own.access_token.clone(), template));
            }
        }
        Ok(Self { load, devices })
    }
}

impl Protocol for PlasmaProtocol {
    const SEND: &'static str = "/plasma.messaging.v1.MessageService/Send";
    const RECEIVE: &'static str = "/plasma.messaging.v1.MessageService/Receive";
    const ACKNOWLEDGE: &'static str = "/plasma.messaging.v1.MessageService/Acknowledge";
    const SAYS_READY: bool = true;

    fn devices(&self) -> usize {
        self.devices.len()
    }

    fn bearer(&self, device: usize) -> &str {
        &self.devices[device].0
    }

    fn receive(&self, _: usize) -> Bytes {
        frame(&pb::ReceiveRequest {}).into()
    }

    fn send(&self, device: usize, mark: Mark) -> Bytes {
        self.devices[device].1.fill(&message_id("msg", self.load, mark), mark)
    }

    fn acknowledge(&self, envelope_id: &[u8]) -> Bytes {
        let envelope_ids = vec![String::from_utf8_lossy(envelope_id).into_owned()];
        frame(&pb::AcknowledgeRequest { envelope_ids }).into()
    }

    fn read_event(event: &[u8]) -> Result<Event<'_>> {
        let (number, content) = fields(event).next().context("an empty event")??;
        match number {
            2 => delivered(content.bytes()?, 1, 5).map(Event::Delivered),
            3 => Ok(Event::Ready),
            5 => bail!("the server ends the streams"),
            _ => Ok(Event::Other),
        }
    }

    fn read_sent(answer: &[u8]) -> Result<Sent> {
        let accepted = find(answer, 1)?.context("a send was not accepted: a device set differs")?;
        let mut sent = None;
        for field in fields(accepted.bytes()?) {
            let (_, delivery) = field?;
            let state = find(delivery.bytes()?, 2)?;
            sent = Some(match state {
                Some(Field::Varint(1)) => Sent::Delivered,
                Some(Field::Varint(2)) => Sent::Stored,
                other => bail!("an envelope is in the state {other:?}"),
            });
        }
        sent.context("a send was accepted for nobody")
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use plasma_identity::DeviceAddress;
    use plasma_proto::messaging::v1 as pb;
    use prost::Message;
    use uuid::Uuid;

    use super::{Event, Mark, PlasmaProtocol, Protocol, Sent};
    use crate::enrollment::Enrolled;
    use crate::generator::CIPHERTEXT_LENGTH;
    use crate::generator::protocol::Delivered;

    const MARK: Mark = Mark { place: 7, sequence: 0x0102_0304 };
    const PREFIX: usize = 5;

    fn enrolled(number: u128) -> Enrolled {
        let [tenant, user, device] = [1, number, number + 10].map(Uuid::from_u128);
        let manifest_hash = Bytes::from(vec![u8::try_from(number).unwrap(); 32]);
        let address = DeviceAddress { tenant, user, device };
        Enrolled { address, access_token: format!("token-{number}"), manifest_hash }
    }

    fn pair() -> PlasmaProtocol {
        PlasmaProtocol::new(&[([enrolled(2), enrolled(3)], "chat_1".to_owned())]).unwrap()
    }

    fn event(event: pb::receive_response::Event) -> Vec<u8> {
        pb::ReceiveResponse { event: Some(event) }.encode_to_vec()
    }

    #[test]
    fn a_filled_send_is_what_prost_would_have_encoded() {
        let protocol = pair();
        let request = protocol.send(1, MARK);
        let request = pb::SendRequest::decode(&request[PREFIX..]).unwrap();
        assert_eq!(request.peer_envelopes[0].device_id, enrolled(2).device_id());
        assert_eq!(request.peer_manifest_hash, enrolled(2).manifest_hash);
        assert_eq!(request.own_manifest_hash, enrolled(3).manifest_hash);
        let ciphertext = &request.peer_envelopes[0].ciphertext;
        assert_eq!(ciphertext.len(), CIPHERTEXT_LENGTH);
        assert_eq!(Mark::read(ciphertext).unwrap(), MARK);
        let other = protocol.send(1, Mark { place: 7, sequence: 5 });
        let other = pb::SendRequest::decode(&other[PREFIX..]).unwrap();
        assert_ne!(request.message_id, other.message_id);
        assert!(request.message_id.starts_with("msg_"));
    }

    #[test]
    fn events_and_answers_of_the_service_are_read() {
        let ciphertext = pair().send(0, MARK);
        let ciphertext = pb::SendRequest::decode(&ciphertext[PREFIX..]).unwrap().peer_envelopes[0]
            .ciphertext
            .clone();
        let envelope =
            pb::Envelope { envelope_id: "env_1".to_owned(), ciphertext, ..Default::default() };
        let bytes = event(pb::receive_response::Event::Envelope(envelope));
        let delivered = Delivered { mark: MARK, envelope_id: b"env_1" };
        assert_eq!(PlasmaProtocol::read_event(&bytes).unwrap(), Event::Delivered(delivered));
        let bytes = event(pb::receive_response::Event::QueueEmpty(pb::QueueEmpty {}));
        assert_eq!(PlasmaProtocol::read_event(&bytes).unwrap(), Event::Ready);
        let bytes = event(pb::receive_response::Event::Heartbeat(pb::Heartbeat {}));
        assert_eq!(PlasmaProtocol::read_event(&bytes).unwrap(), Event::Other);
        let bytes = event(pb::receive_response::Event::Resume(pb::Resume { reason: 2 }));
        assert!(PlasmaProtocol::read_event(&bytes).is_err());
    }

    #[test]
    fn a_send_is_delivered_or_stored_or_an_error() {
        use pb::send_response::Outcome;
        let answer = |outcome| pb::SendResponse { outcome: Some(outcome) }.encode_to_vec();
        let in_state = |state: pb::DeliveryState| {
            let delivery = pb::DeviceDelivery { device_id: "d".to_owned(), state: state.into() };
            answer(Outcome::Accepted(pb::SendAccepted { deliveries: vec![delivery] }))
        };
        let read = |bytes: Vec<u8>| PlasmaProtocol::read_sent(&bytes);
        assert_eq!(read(in_state(pb::DeliveryState::Delivered)).unwrap(), Sent::Delivered);
        assert_eq!(read(in_state(pb::DeliveryState::Stored)).unwrap(), Sent::Stored);
        assert!(read(in_state(pb::DeliveryState::Dropped)).is_err());
        assert!(read(answer(Outcome::Mismatch(pb::DeviceMismatch::default()))).is_err());
    }
}
