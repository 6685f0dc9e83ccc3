//! gRPC frames and protobuf fields, read where they lie: nothing is copied that is not looked at.

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

const PREFIX_LENGTH: usize = 5;

/// Puts a message into a frame: no compression, length, message.
pub fn frame(message: &impl Message) -> Vec<u8> {
    let length = message.encoded_len();
    let mut out = Vec::with_capacity(PREFIX_LENGTH + length);
    out.push(0);
    // A request of the bench is some kilobytes at most.
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&message.encode_to_vec());
    out
}

/// Cuts what arrives on a stream into messages.
#[derive(Debug, Default)]
pub struct Frames {
    rest: BytesMut,
}

impl Frames {
    /// Takes what arrived and gives each message that is complete to `each`.
    pub fn push(&mut self, chunk: Bytes, mut each: impl FnMut(Bytes) -> Result<()>) -> Result<()> {
        if self.rest.is_empty() {
            // The usual case: a chunk holds whole messages.
            let mut chunk = chunk;
            while let Some(message) = next(&mut chunk)? {
                each(message)?;
            }
            self.rest.extend_from_slice(&chunk);
            return Ok(());
        }
        self.rest.extend_from_slice(&chunk);
        let mut joined = self.rest.split().freeze();
        while let Some(message) = next(&mut joined)? {
            each(message)?;
        }
        self.rest.extend_from_slice(&joined);
        Ok(())
    }

    /// Whether a message has begun and not ended.
    pub fn is_cut_short(&self) -> bool {
        !self.rest.is_empty()
    }
}

fn next(from: &mut Bytes) -> Result<Option<Bytes>> {
    let Some(prefix) = from.first_chunk::<PREFIX_LENGTH>() else { return Ok(None) };
    ensure!(prefix[0] == 0, "the server compresses its answers");
    let length = usize::try_from(u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]))?;
    if from.len() < PREFIX_LENGTH + length {
        return Ok(None);
    }
    from.advance(PREFIX_LENGTH);
    Ok(Some(from.split_to(length)))
}

/// A field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// A number.
    Varint(u64),
    /// A string, bytes or a message.
    Bytes(&'a [u8]),
    /// Of a fixed length, which the bench reads none of.
    Fixed,
}

impl<'a> Field<'a> {
    /// The content of a string, bytes or message.
    pub fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Field::Bytes(bytes) => Ok(bytes),
            Field::Varint(_) | Field::Fixed => bail!("a field is not of the expected kind"),
        }
    }
}

/// Finds the first field of a number.
pub fn find(message: &[u8], number: u64) -> Result<Option<Field<'_>>> {
    for field in fields(message) {
        let (found, field) = field?;
        if found == number {
            return Ok(Some(field));
        }
    }
    Ok(None)
}

/// The fields of a message, in their order.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Result<(u64, Field<'_>)>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest);
        if field.is_err() {
            rest = &[];
        }
        Some(field)
    })
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<(u64, Field<'a>)> {
    let key = varint(rest)?;
    let field = match key & 7 {
        0 => Field::Varint(varint(rest)?),
        1 => take(rest, 8).map(|_| Field::Fixed)?,
        2 => {
            let length = usize::try_from(varint(rest)?)?;
            Field::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Field::Fixed)?,
        kind => bail!("a field of the unknown kind {kind}"),
    };
    Ok((key >> 3, field))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length).context("a message ends early")?;
    *rest = left;
    Ok(taken)
}

fn varint(rest: &mut &[u8]) -> Result<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, left) = rest.split_first().context("a message ends early")?;
        *rest = left;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    bail!("a number is too long")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use plasma_proto::messaging::v1 as pb;
    use prost::Message;

    use super::{Field, Frames, fields, find, frame};

    fn delivery() -> pb::DeviceDelivery {
        pb::DeviceDelivery {
            device_id: "device_1".to_owned(),
            state: pb::DeliveryState::Stored.into(),
        }
    }

    #[test]
    fn fields_are_found_as_they_were_encoded() {
        let encoded = delivery().encode_to_vec();
        assert_eq!(find(&encoded, 1).unwrap(), Some(Field::Bytes(b"device_1")));
        assert_eq!(find(&encoded, 2).unwrap(), Some(Field::Varint(2)));
        assert_eq!(find(&encoded, 3).unwrap(), None);
        let large = prost_types::Timestamp { seconds: 1 << 40, nanos: -1 }.encode_to_vec();
        assert_eq!(find(&large, 1).unwrap(), Some(Field::Varint(1 << 40)));
        assert_eq!(fields(&large).count(), 2);
        assert!(find(&encoded[..4], 2).is_err());
    }

    #[test]
    fn messages_come_out_whole_however_they_were_cut() {
        let whole = [frame(&delivery()), frame(&pb::Hello::default()), frame(&delivery())].concat();
        for size in 1..=whole.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for chunk in whole.chunks(size) {
                let each = |message: Bytes| {
                    found.push(message);
                    Ok(())
                };
                frames.push(Bytes::copy_from_slice(chunk), each).unwrap();
            }
            assert!(!frames.is_cut_short());
            let encoded = delivery().encode_to_vec();
            assert_eq!(found, [encoded.clone(), Vec::new(), encoded], "in chunks of {size}");
        }
    }
}
