//! The calls to the bare relay.

use std::ops::Range;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use plasma_proto::id;

use super::super::wire::{Field, fields, find, frame};
use super::{
    CallTemplate, Event, Mark, NO_MARK, Protocol, SendTemplate, Sent, StreamEvent, StreamProtocol,
    delivered, message_id, random_ciphertext, random_number, texts,
};
use crate::relay;

/// The bare relay's calls.
#[derive(Debug)]
pub struct BareProtocol {
    load: u64,
    bearer: String,
    devices: Vec<Device>,
}

#[derive(Debug)]
struct Device {
    name: String,
    send: SendTemplate,
    stream_send: CallTemplate,
}

impl BareProtocol {
    /// Makes up devices of some numbers, each of which sends to its neighbour. The first number is
    /// even.
    pub fn of(devices: Range<usize>) -> Result<Self> {
        let load = random_number();
        let name = |device: usize| id::format("device", (device as u128) + 1);
        let devices = devices.map(|device| {
            let (to, ciphertext) = (name(device ^ 1), random_ciphertext()?);
            let envelope_id = message_id("env", load, NO_MARK);
            let request = relay::SendRequest {
                device_id: to,
                envelope_id: envelope_id.clone(),
                ciphertext: ciphertext.clone(),
            };
            let send = SendTemplate::new(frame(&request), &envelope_id, &ciphertext)?;
            let call = relay::ConnectSend { call_id: CallTemplate::CALL, send: Some(request) };
            let call = frame(&said(relay::Call::Send(call)));
            let stream_send = CallTemplate::new(call, &envelope_id, &ciphertext)?;
            Ok(Device { name: name(device), send, stream_send })
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
        frame(&relay::ReceiveRequest { device_id: self.devices[device].name.clone() }).into()
    }

    fn send(&self, device: usize, mark: Mark) -> Bytes {
        self.devices[device].send.fill(&message_id("env", self.load, mark), mark)
    }

    fn acknowledge(&self, envelope_ids: &[Bytes]) -> Bytes {
        frame(&relay::AcknowledgeRequest { envelope_ids: texts(envelope_ids) }).into()
    }

    fn read_event(event: &[u8]) -> Result<Event<'_>> {
        delivered(event, 1, 2).map(Event::Delivered)
    }

    fn read_sent(_: &[u8]) -> Result<Sent> {
        Ok(Sent::Delivered)
    }
}

impl StreamProtocol for BareProtocol {
    const CONNECT: &'static str = relay::CONNECT_PATH;

    fn open(&self, device: usize) -> Option<Bytes> {
        let device_id = self.devices[device].name.clone();
        let open = relay::Call::Open(relay::ReceiveRequest { device_id });
        Some(frame(&said(open)).into())
    }

    fn stream_send(&self, device: usize, mark: Mark) -> Bytes {
        self.devices[device].stream_send.fill(&message_id("env", self.load, mark), mark)
    }

    fn stream_acknowledge(&self, envelope_ids: &[Bytes]) -> Bytes {
        let acknowledge = relay::AcknowledgeRequest { envelope_ids: texts(envelope_ids) };
        frame(&said(relay::Call::Acknowledge(acknowledge))).into()
    }

    fn read_stream_event(event: &[u8]) -> Result<StreamEvent<'_>> {
        let (number, content) = fields(event).next().context("an empty event")??;
        match number {
            1 => delivered(content.bytes()?, 1, 2).map(Event::Delivered).map(StreamEvent::Event),
            2 => match find(content.bytes()?, 1)? {
                None => Ok(StreamEvent::Event(Event::Ready)),
                Some(Field::Varint(call_id)) => {
                    let mark = CallTemplate::mark(call_id).context("an answer to no send")??;
                    Ok(StreamEvent::Answer(mark, Sent::Delivered))
                }
                Some(other) => bail!("a call's id is {other:?}"),
            },
            _ => bail!("the bare relay says something unknown"),
        }
    }
}

fn said(call: relay::Call) -> relay::ConnectRequest {
    relay::ConnectRequest { call: Some(call) }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::{BareProtocol, Event, Mark, Protocol};
    use crate::generator::protocol::Delivered;
    use crate::relay;

    const MARK: Mark = Mark { place: 7, sequence: 0x0102_0304 };
    const PREFIX: usize = 5;

    #[test]
    fn the_bare_relay_is_spoken_to_in_its_own_messages() {
        let protocol = BareProtocol::of(0..2).unwrap();
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
