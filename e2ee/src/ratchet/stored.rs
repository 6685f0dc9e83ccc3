//! The stored form of a ratchet.

use plasma_identity::AgreementPublicKey;
use plasma_identity::encoding::{DecodeError, Reader};

use super::{Carried, MAX_RECEIVING_CHAINS, MAX_SKIPPED_KEYS, Pace, Ratchet, ReceivingChain, Turn};
use crate::agreement::AgreementKey;
use crate::extension::{Extension, read_ciphertext};
use crate::header::SessionId;
use crate::kem::{KemKey, KemSeed};
use crate::secret::Secret;

const OURS: u8 = 1;
const THEIRS: u8 = 2;

const NOTHING: u8 = 0;
const KEY: u8 = 1;
const CIPHERTEXT: u8 = 2;

impl Ratchet {
    /// Returns an upper bound of the stored form's length.
    pub(crate) fn stored_length(&self) -> usize {
        let chains = self.receiving.iter().map(|chain| 128 + 36 * chain.skipped.len());
        256 + KemSeed::LENGTH + Extension::MAX_LENGTH + chains.sum::<usize>()
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.root.expose());
        match &self.turn {
            Turn::Ours { key, chain, number, previous, carried } => {
                out.push(OURS);
                key.write_pair(out);
                write_optional(chain.as_ref(), out);
                out.extend_from_slice(&number.to_be_bytes());
                out.extend_from_slice(&previous.to_be_bytes());
                carried.write(out);
            }
            Turn::Theirs { remote, previous, offered } => {
                out.push(THEIRS);
                out.extend_from_slice(remote.as_bytes());
                out.extend_from_slice(&previous.to_be_bytes());
                out.push(u8::from(offered.is_some()));
                out.extend_from_slice(offered.as_ref().map_or(&[][..], KemKey::as_bytes));
            }
        }
        // Both lists are kept below their limits, far below 65,536.
        out.extend_from_slice(&u16::try_from(self.receiving.len()).unwrap_or(0).to_be_bytes());
        for chain in &self.receiving {
            out.extend_from_slice(chain.remote.as_bytes());
            write_optional(chain.key.as_ref(), out);
            out.extend_from_slice(&chain.number.to_be_bytes());
            out.extend_from_slice(&u16::try_from(chain.skipped.len()).unwrap_or(0).to_be_bytes());
            for (number, key) in &chain.skipped {
                out.extend_from_slice(&number.to_be_bytes());
                out.extend_from_slice(key.expose());
            }
        }
        out.extend_from_slice(&self.pace.messages.to_be_bytes());
        out.extend_from_slice(&self.pace.since.to_be_bytes());
    }

    pub(crate) fn read(
        session_id: SessionId,
        reader: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        let root = Secret::new(reader.array()?);
        let turn = match reader.u8()? {
            OURS => Turn::Ours {
                key: AgreementKey::read_pair(reader)?,
                chain: read_optional(reader)?,
                number: reader.u32()?,
                previous: reader.u32()?,
                carried: Carried::read(reader)?,
            },
            THEIRS => Turn::Theirs {
                remote: read_point(reader)?,
                previous: reader.u32()?,
                offered: if reader.bool("offered")? { Some(KemKey::read(reader)?) } else { None },
            },
            _ => return Err(DecodeError::InvalidField("turn")),
        };
        let chains = reader.u16()?;
        if usize::from(chains) > MAX_RECEIVING_CHAINS {
            return Err(DecodeError::InvalidField("receiving chains"));
        }
        let receiving = (0..chains).map(|_| read_chain(reader)).collect::<Result<_, _>>()?;
        let pace = Pace { messages: reader.u32()?, since: reader.u64()? };
        Ok(Self { session_id, root, turn, receiving, pace })
    }
}

impl Carried {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Nothing => out.push(NOTHING),
            Self::Key { seed, key } => {
                out.push(KEY);
                seed.write(out);
                out.extend_from_slice(key.as_bytes());
            }
            Self::Ciphertext(ciphertext) => {
                out.push(CIPHERTEXT);
                out.extend_from_slice(ciphertext);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            NOTHING => Ok(Self::Nothing),
            KEY => Ok(Self::Key { seed: KemSeed::read(reader)?, key: KemKey::read(reader)? }),
            CIPHERTEXT => Ok(Self::Ciphertext(read_ciphertext(reader)?)),
            _ => Err(DecodeError::InvalidField("carried")),
        }
    }
}

fn read_chain(reader: &mut Reader<'_>) -> Result<ReceivingChain, DecodeError> {
    let remote = read_point(reader)?;
    let key = read_optional(reader)?;
    let number = reader.u32()?;
    let count = reader.u16()?;
    if usize::from(count) > MAX_SKIPPED_KEYS {
        return Err(DecodeError::InvalidField("stored keys"));
    }
    let mut skipped = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        skipped.push((reader.u32()?, Secret::new(reader.array()?)));
    }
    Ok(ReceivingChain { remote, key, number, skipped })
}

fn read_point(reader: &mut Reader<'_>) -> Result<AgreementPublicKey, DecodeError> {
    AgreementPublicKey::from_bytes(reader.slice(AgreementPublicKey::LENGTH)?)
}

fn write_optional(secret: Option<&Secret>, out: &mut Vec<u8>) {
    out.push(u8::from(secret.is_some()));
    out.extend_from_slice(secret.map_or(&[][..], |secret| secret.expose()));
}

fn read_optional(reader: &mut Reader<'_>) -> Result<Option<Secret>, DecodeError> {
    Ok(if reader.bool("secret")? { Some(Secret::new(reader.array()?)) } else { None })
}
