//! The stored form of a record.

use plasma_identity::DeviceAddress;
use plasma_identity::encoding::{DecodeError, Reader, length_prefix};
use zeroize::Zeroizing;

use super::record::MAX_ARCHIVED;
use super::{PendingInitiation, Session, SessionRecord};
use crate::error::StateError;
use crate::header::SessionId;
use crate::ratchet::Ratchet;
use crate::state::StateType;

/// Version 1 knew no post-quantum step.
const VERSION: u8 = 2;

impl SessionRecord {
    /// Encodes the record with its secrets, to be sealed by the caller.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let sessions = || self.active.iter().chain(&self.archived);
        // Reserved in full, so that no reallocation leaves a copy behind.
        let length = 128 + sessions().map(Session::stored_length).sum::<usize>();
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        out.extend_from_slice(&[StateType::SessionRecord as u8, VERSION]);
        out.extend_from_slice(&self.local.to_bytes());
        out.extend_from_slice(&self.remote.to_bytes());
        out.push(u8::from(self.active.is_some()));
        // At most ten are kept.
        out.push(u8::try_from(self.archived.len()).unwrap_or(0));
        for session in sessions() {
            session.write(&mut out);
        }
        out
    }

    /// Decodes what [`SessionRecord::to_bytes`] encoded.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, StateError> {
        let mut reader = Reader::new(bytes);
        reader.prefix(StateType::SessionRecord as u8, VERSION)?;
        let local = DeviceAddress::read(&mut reader)?;
        let remote = DeviceAddress::read(&mut reader)?;
        let has_active = reader.bool("active")?;
        let archived = reader.u8()?;
        if usize::from(archived) > MAX_ARCHIVED {
            return Err(DecodeError::InvalidField("archived").into());
        }
        let active = if has_active { Some(Session::read(&mut reader)?) } else { None };
        let archived =
            (0..archived).map(|_| Session::read(&mut reader)).collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { local, remote, active, archived })
    }
}

impl Session {
    fn stored_length(&self) -> usize {
        let pending = self.pending.as_ref().map_or(0, |pending| pending.bytes.len() + 80);
        128 + pending + self.ratchet.stored_length()
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.created.to_be_bytes());
        out.extend_from_slice(&self.ephemeral_hash);
        out.push(u8::from(self.pending.is_some()));
        if let Some(pending) = &self.pending {
            length_prefix(out, &pending.bytes);
            out.extend_from_slice(&pending.signature);
        }
        self.ratchet.write(out);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = SessionId(reader.array()?);
        let created = reader.u64()?;
        let ephemeral_hash = reader.array()?;
        let pending = if reader.bool("pending")? {
            let bytes = reader.length_prefixed()?.to_vec();
            Some(PendingInitiation { bytes, signature: reader.array()? })
        } else {
            None
        };
        let ratchet = Ratchet::read(id, reader)?;
        Ok(Self { id, created, ephemeral_hash, pending, ratchet })
    }
}
