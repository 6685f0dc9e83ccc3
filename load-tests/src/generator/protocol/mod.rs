//! What the load says to the service and to the bare relay.

mod bare;
mod plasma;
mod template;

use anyhow::{Context, Result};
use bytes::Bytes;
use plasma_proto::id;

pub use bare::BareProtocol;
pub use plasma::PlasmaProtocol;

use self::template::{CallTemplate, SendTemplate};
use super::CIPHERTEXT_LENGTH;
use super::wire::fields;

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
        Self::of(u64::from_be_bytes(*bytes))
    }

    fn of(number: u64) -> Result<Self> {
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

    /// Acknowledges envelopes.
    fn acknowledge(&self, envelope_ids: &[Bytes]) -> Bytes;

    /// Reads an event of a stream.
    fn read_event(event: &[u8]) -> Result<Event<'_>>;

    /// Reads the answer to a send.
    fn read_sent(answer: &[u8]) -> Result<Sent>;
}

/// What a stream of both directions says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEvent<'a> {
    /// What a stream of deliveries says as well.
    Event(Event<'a>),
    /// A send is answered.
    Answer(Mark, Sent),
}

/// What a load says on streams of both directions, framed.
pub trait StreamProtocol: Protocol {
    /// Path of the call.
    const CONNECT: &'static str;

    /// What a device says first, if anything.
    fn open(&self, device: usize) -> Option<Bytes>;

    /// Sends a message from a device to the one it chats with.
    fn stream_send(&self, device: usize, mark: Mark) -> Bytes;

    /// Acknowledges envelopes.
    fn stream_acknowledge(&self, envelope_ids: &[Bytes]) -> Bytes;

    /// Reads what the server says.
    fn read_stream_event(event: &[u8]) -> Result<StreamEvent<'_>>;
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

fn texts(ids: &[Bytes]) -> Vec<String> {
    ids.iter().map(|id| String::from_utf8_lossy(id).into_owned()).collect()
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
