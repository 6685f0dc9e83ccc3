//! Requests that are encoded before the load begins.

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};

use super::Mark;

/// A send, encoded but for what differs from message to message.
#[derive(Debug)]
pub(super) struct SendTemplate {
    frame: Vec<u8>,
    id_at: usize,
    mark_at: usize,
}

impl SendTemplate {
    pub(super) fn new(frame: Vec<u8>, id: &str, ciphertext: &[u8]) -> Result<Self> {
        let place = |part: &[u8]| frame.windows(part.len()).position(|window| window == part);
        let id_at = place(id.as_bytes()).context("the id is in the request")?;
        let mark_at = place(ciphertext).context("the ciphertext is in the request")?;
        Ok(Self { frame, id_at, mark_at })
    }

    pub(super) fn fill(&self, id: &str, mark: Mark) -> Bytes {
        self.filled(id, mark).freeze()
    }

    fn filled(&self, id: &str, mark: Mark) -> BytesMut {
        let mut out = BytesMut::from(&self.frame[..]);
        out[self.id_at..self.id_at + id.len()].copy_from_slice(id.as_bytes());
        out[self.mark_at..self.mark_at + Mark::LENGTH].copy_from_slice(&mark.bytes());
        out
    }
}

/// A send on a stream of both directions: it has an id as a call, too.
#[derive(Debug)]
pub(super) struct CallTemplate {
    send: SendTemplate,
    call_at: usize,
}

impl CallTemplate {
    /// The id of the call that a template is made from, and what keeps all ids of one length.
    pub(super) const CALL: u64 = 1 << 62;
    const CALL_LENGTH: usize = 9;

    pub(super) fn new(frame: Vec<u8>, id: &str, ciphertext: &[u8]) -> Result<Self> {
        let call = Self::varint(Self::CALL);
        let call_at = frame.windows(call.len()).position(|window| window == call);
        let call_at = call_at.context("the call's id is in the request")?;
        Ok(Self { send: SendTemplate::new(frame, id, ciphertext)?, call_at })
    }

    pub(super) fn fill(&self, id: &str, mark: Mark) -> Bytes {
        let mut out = self.send.filled(id, mark);
        let call = Self::varint(Self::CALL | mark.number());
        out[self.call_at..self.call_at + call.len()].copy_from_slice(&call);
        out.freeze()
    }

    /// The message that a call's id names; `None` for an id of no send.
    pub(super) fn mark(call_id: u64) -> Option<Result<Mark>> {
        (call_id & Self::CALL != 0).then(|| Mark::of(call_id & !Self::CALL))
    }

    /// As protobuf writes a number of 57 to 63 bits.
    fn varint(number: u64) -> [u8; Self::CALL_LENGTH] {
        let mut rest = number;
        let mut bytes = [0; Self::CALL_LENGTH];
        for byte in &mut bytes {
            *byte = 0x80 | u8::try_from(rest & 0x7f).unwrap_or_default();
            rest >>= 7;
        }
        bytes[Self::CALL_LENGTH - 1] &= 0x7f;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::{CallTemplate, Mark};
    use crate::generator::wire::{Field, find};

    #[test]
    fn the_id_of_a_call_names_its_message() {
        let mark = Mark { place: 7, sequence: 0x0102_0304 };
        let frame = [&[0x08][..], &CallTemplate::varint(CallTemplate::CALL), b"id", b"ciphertext"];
        let template = CallTemplate::new(frame.concat(), "id", b"ciphertext").unwrap();
        let filled = template.fill("ab", mark);
        let Ok(Some(Field::Varint(call_id))) = find(&filled[..10], 1) else {
            panic!("the call's id is a number");
        };
        assert_eq!(CallTemplate::mark(call_id).unwrap().unwrap(), mark);
        assert!(CallTemplate::mark(0).is_none());
    }
}
