//! The calls to the bare relay.

use anyhow::Result;
use bytes::Bytes;
use plasma_proto::id;

use super::super::wire::frame;
use super::{
    Event, Mark, NO_MARK, Protocol, SendTemplate, Sent, delivered, message_id, random_ciphertext,
    random_number,
};
use crate::relay;

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
