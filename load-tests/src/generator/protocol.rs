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

    /// Reads an event of a stream; `None` for one that delivers nothing.
    fn read_event(event: &[u8]) -> Result<Option<Delivered<'_>>>;

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

    fn read_event(event: &[u8]) -> Result<Option<Delivered<'_>>> {
        delivered(event, 1, 2).map(Some)
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

    fn read_event(event: &[u8]) -> Result<Option<Delivered<'_>>> {
        match find(event, 2)? {
            Some(envelope) => delivered(envelope.bytes()?, 1, 5).map(Some),
            None if find(event, 5)?.is_some() => bail!("the server ends the streams"),
            None => Ok(None),
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
