//! The canonical binary encoding: fixed offsets, big-endian integers, a type and a version byte
//! in front, and length-prefixed parts wherever bytes are hashed or signed.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Why bytes are not the structure that was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("the bytes end inside a field")]
    Truncated,
    /// Bytes follow the structure's last field.
    #[error("bytes follow the structure")]
    TrailingBytes,
    /// The type byte names another structure.
    #[error("the type byte names another structure")]
    WrongType,
    /// The version is not one that this implementation knows.
    #[error("unknown version {0}")]
    UnsupportedVersion(u8),
    /// A public key is not a 65-byte uncompressed point on P-256, or is the point at infinity.
    #[error("invalid P-256 point")]
    InvalidPoint,
    /// A signature's r or s is zero or not below the group order.
    #[error("invalid signature encoding")]
    InvalidSignature,
    /// An ML-KEM-768 encapsulation key has the wrong length or a coefficient above the modulus.
    #[error("invalid ML-KEM-768 key")]
    InvalidKemKey,
    /// A field holds a value that its description forbids.
    #[error("field {0} holds a forbidden value")]
    InvalidField(&'static str),
}

/// Type byte of each structure, the first byte of its encoding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum StructureType {
    /// [`crate::DeviceCertificate`].
    Certificate = 0x01,
    /// [`crate::CertificateRequest`].
    CertificateRequest = 0x02,
    /// [`crate::Manifest`].
    Manifest = 0x03,
    /// [`crate::SignedPrekey`].
    SignedPrekey = 0x04,
    /// [`crate::VerifiedAccount`], a local state that never leaves the device.
    VerifiedAccount = 0x05,
    /// [`crate::RecoveryKit`].
    RecoveryKit = 0x06,
}

/// Length of the prefix of every public structure: type and version.
pub const PREFIX_LENGTH: usize = 2;

/// Appends `part` behind its length as an unsigned 32-bit big-endian integer.
///
/// # Panics
///
/// Never for the parts that the protocol has: all are far below 4 GiB.
pub fn length_prefix(out: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).expect("protocol parts are below 4 GiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(part);
}

/// Builds `label ‖ LP(part)…`, the input of every signature.
pub fn labelled(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let length = label.len() + parts.iter().map(|part| part.len() + 4).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(label.as_bytes());
    for part in parts {
        length_prefix(&mut out, part);
    }
    out
}

/// Computes `SHA-256(label ‖ LP(part)…)`.
pub fn labelled_hash(label: &str, parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(labelled(label, parts)).into()
}

/// Reads a structure field by field; [`Reader::finish`] refuses what is left over.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the first byte on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads and checks the type and version bytes.
    pub fn prefix(&mut self, expected: u8, version: u8) -> Result<(), DecodeError> {
        if self.u8()? != expected {
            return Err(DecodeError::WrongType);
        }
        match self.u8()? {
            found if found == version => Ok(()),
            found => Err(DecodeError::UnsupportedVersion(found)),
        }
    }

    /// Reads the next `length` bytes.
    pub fn slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Reads a fixed-size array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Reads a byte that must be 0 or 1.
    pub fn bool(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::InvalidField(field)),
        }
    }

    /// Reads a big-endian 16-bit integer.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    /// Reads a big-endian 32-bit integer.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// Reads a big-endian 64-bit integer.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    /// Reads a 16-byte identifier.
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        Ok(Uuid::from_bytes(self.array()?))
    }

    /// Reads bytes behind their 32-bit length.
    pub fn length_prefixed(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(self.u32()?).map_err(|_| DecodeError::Truncated)?;
        self.slice(length)
    }

    /// Takes everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Refuses bytes that no field has claimed.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_labelled_input_is_the_label_and_each_part_behind_its_length() {
        assert_eq!(labelled("ab", &[b"c", b""]), b"ab\0\0\0\x01c\0\0\0\0");
    }

    #[test]
    fn a_reader_refuses_short_and_long_input() {
        assert_eq!(Reader::new(&[1, 2, 3]).u32(), Err(DecodeError::Truncated));
        let mut reader = Reader::new(&[0, 1, 2]);
        assert_eq!(reader.u16(), Ok(1));
        assert_eq!(reader.finish(), Err(DecodeError::TrailingBytes));
    }

    #[test]
    fn a_length_prefix_beyond_the_input_is_truncation_not_an_allocation() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0]);
        assert_eq!(reader.length_prefixed(), Err(DecodeError::Truncated));
    }
}
