//! The calls to the service.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::connect_request::Call;

use super::super::wire::{Field, fields, find, frame};
use super::{
    CallTemplate, Event, Mark, NO_MARK, Protocol, SendTemplate, Sent, StreamEvent, StreamProtocol,
    delivered, message_id, random_ciphertext, random_number, texts,
};
use crate::enrollment::Enrolled;

/// The service's calls.
#[derive(Debug)]
pub struct PlasmaProtocol {
    load: u64,
    devices: Vec<Device>,
}

#[derive(Debug)]
struct Device {
    access_token: String,
    send: SendTemplate,
    stream_send: CallTemplate,
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
                    envelope_class: pb::EnvelopeClass::Message.into(),
                };
                let send = SendTemplate::new(frame(&request), &id, &ciphertext)?;
                let call = said(CallTemplate::CALL, Call::Send(request));
                let stream_send = CallTemplate::new(call, &id, &ciphertext)?;
                let access_token = own.access_token.clone();
                devices.push(Device { access_token, send, stream_send });
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
        &self.devices[device].access_token
    }

    fn receive(&self, _: usize) -> Bytes {
        frame(&pb::ReceiveRequest {}).into()
    }

    fn send(&self, device: usize, mark: Mark) -> Bytes {
        self.devices[device].send.fill(&message_id("msg", self.load, mark), mark)
    }

    fn acknowledge(&self, envelope_ids: &[Bytes]) -> Bytes {
        frame(&pb::AcknowledgeRequest { envelope_ids: texts(envelope_ids) }).into()
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

impl StreamProtocol for PlasmaProtocol {
    const CONNECT: &'static str = "/plasma.messaging.v1.MessageService/Connect";

    fn open(&self, _: usize) -> Option<Bytes> {
        None
    }

    fn stream_send(&self, device: usize, mark: Mark) -> Bytes {
        self.devices[device].stream_send.fill(&message_id("msg", self.load, mark), mark)
    }

    fn stream_acknowledge(&self, envelope_ids: &[Bytes]) -> Bytes {
        let request = pb::AcknowledgeRequest { envelope_ids: texts(envelope_ids) };
        said(0, Call::Acknowledge(request)).into()
    }

    fn read_stream_event(event: &[u8]) -> Result<StreamEvent<'_>> {
        let (number, content) = fields(event).next().context("an empty event")??;
        if number != 6 {
            return Self::read_event(event).map(StreamEvent::Event);
        }
        let (mut mark, mut sent) = (None, None);
        for field in fields(content.bytes()?) {
            match field? {
                (1, Field::Varint(call_id)) => {
                    mark = CallTemplate::mark(call_id).transpose()?;
                }
                (2, answer) => sent = Some(Self::read_sent(answer.bytes()?)?),
                (5, error) => {
                    let message = find(error.bytes()?, 2)?.map(Field::bytes).transpose()?;
                    let message = String::from_utf8_lossy(message.unwrap_or_default());
                    bail!("a call on a stream failed: {message}");
                }
                (number, _) => bail!("an answer has the unknown field {number}"),
            }
        }
        let mark = mark.context("an answer to no send")?;
        Ok(StreamEvent::Answer(mark, sent.context("an answer without a result")?))
    }
}

fn said(call_id: u64, call: Call) -> Vec<u8> {
    frame(&pb::ConnectRequest { call_id, call: Some(call) })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use plasma_identity::DeviceAddress;
    use plasma_proto::messaging::v1 as pb;
    use prost::Message;
    use uuid::Uuid;

    use super::{Event, Mark, PlasmaProtocol, Protocol, Sent, StreamEvent, StreamProtocol};
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
    fn what_a_stream_carries_is_what_prost_would_have_encoded() {
        use pb::connect_request::Call;
        let protocol = pair();
        let said = |bytes: Bytes| pb::ConnectRequest::decode(&bytes[PREFIX..]).unwrap();
        let request = said(protocol.stream_send(1, MARK));
        let unary = protocol.send(1, MARK);
        let Some(Call::Send(send)) = request.call else { panic!("a send") };
        let mut unary = pb::SendRequest::decode(&unary[PREFIX..]).unwrap();
        assert_eq!(Mark::read(&send.peer_envelopes[0].ciphertext).unwrap(), MARK);
        unary.peer_envelopes[0].ciphertext = send.peer_envelopes[0].ciphertext.clone();
        assert_eq!(send, unary);
        let ids = [Bytes::from_static(b"env_1"), Bytes::from_static(b"env_2")];
        let acknowledged = said(protocol.stream_acknowledge(&ids));
        let Some(Call::Acknowledge(acknowledged)) = acknowledged.call else { panic!("an ack") };
        assert_eq!(acknowledged.envelope_ids, ["env_1", "env_2"]);

        let read = |event| {
            let bytes = pb::ConnectResponse { event: Some(event) }.encode_to_vec();
            PlasmaProtocol::read_stream_event(&bytes).map(|event| format!("{event:?}"))
        };
        let answer = |result| {
            let result = pb::CallResult { call_id: request.call_id, result: Some(result) };
            read(pb::connect_response::Event::Result(result))
        };
        let delivery = pb::DeviceDelivery { device_id: "d".to_owned(), state: 1 };
        let accepted = pb::SendAccepted { deliveries: vec![delivery] };
        let outcome = Some(pb::send_response::Outcome::Accepted(accepted));
        let answered = answer(pb::call_result::Result::Send(pb::SendResponse { outcome })).unwrap();
        assert_eq!(answered, format!("{:?}", StreamEvent::Answer(MARK, Sent::Delivered)));
        let error = pb::CallError { code: 8, message: "slow down".to_owned(), details: vec![] };
        let error = answer(pb::call_result::Result::Error(error)).unwrap_err();
        assert!(error.to_string().contains("slow down"), "{error}");
        let ready = read(pb::connect_response::Event::QueueEmpty(pb::QueueEmpty {})).unwrap();
        assert_eq!(ready, format!("{:?}", StreamEvent::Event(Event::Ready)));
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
