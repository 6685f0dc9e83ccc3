//! What the load says to the service and to the bare relay.

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use plasma_proto::id;
use plasma_proto::messaging::v1 as pb;

use super::CIPHERTEXT_LENGTH;
use super::wire::{Field, fields, find, frame};
use crate::enrollment::Enrolled;
use crate::relay;

/// Names a message of a load, at the head of its ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The place among the messages in flight.
    pub place: u32,
    /// The number of the message in its place.
    pub sequence: u32,
}

impl Mark {
    const LENGTH: usize = 8;

    fn bytes(self) -> [u8; Self::LENGTH] {
        self.number().to_be_bytes()
    }

    fn number(self) -> u64 {
        u64::from(self.place) << 32 | u64::from(self.sequence)
    }

    fn read(ciphertext: &[u8]) -> Result<Self> {
        let bytes = ciphertext.first_chunk().context("a ciphertext is too short")?;
        let number = u64::from_be_bytes(*bytes);
        let sequence = u32::try_from(number & u64::from(u32::MAX))?;
        Ok(Self { place: u32::try_from(number >> 32)?, sequence })
    }
}

/// What an answer to a send says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The device has acknowledged it, or, on the bare relay, it is on its way.
    Delivered,
    /// It was stored.
    Stored,
}

/// What an event of a stream says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message.
    Delivered(Delivered<'a>),
    /// What was stored before is done; from now on messages are relayed.
    Ready,
    /// Nothing to act on.
    Other,
}

/// A delivery, as it lies in its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered<'a> {
    /// Which message it is.
    pub mark: Mark,
    /// Its id for the acknowledgement.
    pub envelope_id: &'a [u8],
}

/// The calls of a load, framed.
pub trait Protocol: 'static {
    /// Path of the unary send.
    const SEND: &'static str;
    /// Path of the streamed receive.
    const RECEIVE: &'static str;
    /// Path of the unary acknowledgement.
    const ACKNOWLEDGE: &'static str;
    /// Whether a stream says when it is ready; else it is from its beginning.
    const SAYS_READY: bool;

    /// How many devices there are.
    fn devices(&self) -> usize;

    /// A device's credential.
    fn bearer(&self, device: usize) -> &str;

    /// Opens a device's stream.
    fn receive(&self, device: usize) -> Bytes;

    /// Sends a message from a device to the one it chats with.
    fn send(&self, device: usize, mark: Mark) -> Bytes;

    /// Acknowledges an envelope.
    fn acknowledge(&self, envelope_id: &[u8]) -> Bytes;

    /// Reads an event of a stream.
    fn read_event(event: &[u8]) -> Result<Event<'_>>;

    /// Reads the answer to a send.
    fn read_sent(answer: &[u8]) -> Result<Sent>;
}

/// A send, encoded but for what differs from message to message.
#[derive(Debug)]
struct SendTemplate {
    frame: Vec<u8>,
    id_at: usize,
    mark_at: usize,
}

impl SendTemplate {
    fn new(frame: Vec<u8>, id: &str, ciphertext: &[u8]) -> Result<Self> {
        let place = |part: &[u8]| frame.windows(part.len()).position(|window| window == part);
        let id_at = place(id.as_bytes()).context("the id is in the request")?;
        let mark_at = place(ciphertext).context("the ciphertext is in the request")?;
        Ok(Self { frame, id_at, mark_at })
    }

    fn fill(&self, id: &str, mark: Mark) -> Bytes {
        let mut out = BytesMut::from(&self.frame[..]);
        out[self.id_at..self.id_at + id.len()].copy_from_slice(id.as_bytes());
        out[self.mark_at..self.mark_at + Mark::LENGTH].copy_from_slice(&mark.bytes());
        out.freeze()
    }
}

fn random_ciphertext() -> Result<Bytes> {
    let mut bytes = vec![0; CIPHERTEXT_LENGTH];
    getrandom::fill(&mut bytes).ok().context("random bytes")?;
    Ok(bytes.into())
}

/// An id that no other message of any load has.
fn message_id(prefix: &str, load: u64, mark: Mark) -> String {
    id::format(prefix, u128::from(load) << 64 | u128::from(mark.number()))
}

const NO_MARK: Mark = Mark { place: 0, sequence: 0 };

fn random_number() -> u64 {
    // The version bits of an id are the sender's business; 0 would be no id.
    u64::from_be_bytes(plasma_testkit::secret::bytes()) | 1
}

/// The bare relay's calls.
#[derive(Debug)]
pub struct BareProtocol {
    load: u64,
    bearer: String,
    devices: Vec<(String, SendTemplate)>,
}

impl BareProtocol {
    /// Makes up some devices, each of which sends to its neighbour.
    pub fn new(devices: usize) -> Result<Self> {
        let load = random_number();
        let name = |device: usize| id::format("device", (device as u128) + 1);
        let devices = (0..devices).map(|device| {
            let (to, ciphertext) = (name(device ^ 1), random_ciphertext()?);
            let envelope_id = message_id("env", load, NO_MARK);
            let request = relay::SendRequest {
                device_id: to,
                envelope_id: envelope_id.clone(),
                ciphertext: ciphertext.clone(),
            };
            let template = SendTemplate::new(frame(&request), &envelope_id, &ciphertext)?;
            Ok((name(device), template))
        });
        // What a session token of 48 bytes looks like.
        Ok(Self { load, bearer: "b".repeat(64), devices: devices.collect::<Result<_>>()? })
    }
}

impl Protocol for BareProtocol {
    const SEND: &'static str = relay::SEND_PATH;
    const RECEIVE: &'static str = relay::RECEIVE_PATH;
    const ACKNOWLEDGE: &'static str = relay::ACKNOWLEDGE_PATH;
    const SAYS_READY: bool = false;

    fn devices(&self) -> usize {
        self.devices.len()
    }

    fn bearer(&self, _: usize) -> &str {
        &self.bearer
    }

    fn receive(&self, device: usize) -> Bytes {
        frame(&relay::ReceiveRequest { device_id: self.devices[device].0.clone() }).into()
    }

    fn send(&self, device: usize, mark: Mark) -> Bytes {
        self.devices[device].1.fill(&message_id("env", self.load, mark), mark)
    }

    fn acknowledge(&self, envelope_id: &[u8]) -> Bytes {
        let envelope_id = String::from_utf8_lossy(envelope_id).into_owned();
        frame(&relay::AcknowledgeRequest { envelope_id }).into()
    }

    fn read_event(event: &[u8]) -> Result<Event<'_>> {
        delivered(event, 1, 2).map(Event::Delivered)
    }

    fn read_sent(_: &[u8]) -> Result<Sent> {
        Ok(Sent::Delivered)
    }
}

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

fn delivered(envelope: &[u8], id_field: u64, ciphertext_field: u64) -> Result<Delivered<'_>> {
    let (mut envelope_id, mut mark) = (None, None);
    for field in fields(envelope) {
        let (number, field) = field?;
        if number == id_field {
            envelope_id = Some(field.bytes()?);
        } else if number == ciphertext_field {
            mark = Some(Mark::read(field.bytes()?)?);
        }
    }
    let envelope_id = envelope_id.context("an envelope has no id")?;
    Ok(Delivered { mark: mark.context("an envelope has no ciphertext")?, envelope_id })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use plasma_identity::DeviceAddress;
    use plasma_proto::messaging::v1 as pb;
    use prost::Message;
    use uuid::Uuid;

    use super::{
        BareProtocol, CIPHERTEXT_LENGTH, Delivered, Event, Mark, PlasmaProtocol, Protocol, Sent,
    };
    use crate::enrollment::Enrolled;
    use crate::relay;

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

    #[test]
    fn the_bare_relay_is_spoken_to_in_its_own_messages() {
        let protocol = BareProtocol::new(2).unwrap();
        let sent = protocol.send(0, MARK);
        let sent = relay::SendRequest::decode(&sent[PREFIX..]).unwrap();
        let opened = protocol.receive(1);
        let opened = relay::ReceiveRequest::decode(&opened[PREFIX..]).unwrap();
        assert_eq!(sent.device_id, opened.device_id);
        let relay::SendRequest { envelope_id, ciphertext, .. } = sent;
        let event = relay::Envelope { envelope_id: envelope_id.clone(), ciphertext };
        let event = event.encode_to_vec();
        let Event::Delivered(delivered) = BareProtocol::read_event(&event).unwrap() else {
            panic!("an envelope is a delivery");
        };
        assert_eq!(delivered, Delivered { mark: MARK, envelope_id: envelope_id.as_bytes() });
    }
}
