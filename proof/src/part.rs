//! The parts of a transaction as bytes: its header and its postings.
//!
//! ```text
//! header  = 1 (version) ‖ 1 ‖ tenant (16) ‖ transaction (16) ‖ kind (i16) ‖ reverses (16, 0 for none)
//!           ‖ time (i64) ‖ length (u16) ‖ external id ‖ length (u16) ‖ reference
//! posting = 1 (version) ‖ 2 ‖ line (i16) ‖ account (16) ‖ currency (3) ‖ minor units (i64)
//!           ‖ 0, or 1 ‖ balance (i64) ‖ number within the wallet (i64) ‖ time (i64)
//! ```
//!
//! Times are microseconds since 1970. Decoding takes exactly one part and refuses what is left over.

use uuid::Uuid;

const VERSION: u8 = 1;
const HEADER: u8 = 1;
const POSTING: u8 = 2;

/// A part of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// What the transaction says of itself.
    Header(Header),
    /// One line of it.
    Posting(Posting),
}

/// What a transaction says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The tenant in whose books it is.
    pub tenant: Uuid,
    /// Its id.
    pub transaction: Uuid,
    /// What it is for: the contract's `WalletEntryKind`.
    pub kind: i16,
    /// The transaction that it takes back.
    pub reverses: Option<Uuid>,
    /// When it was made, in microseconds since 1970.
    pub created_at: i64,
    /// What makes it unique among its kind.
    pub external_id: String,
    /// A reference for people.
    pub reference: String,
}

/// What a wallet holds after a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The balance, in minor units.
    pub balance: i64,
    /// The posting's number within the wallet, from 1.
    pub version: i64,
}

/// One line of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    /// Its place in the transaction, from 1.
    pub line: i16,
    /// The account.
    pub account: Uuid,
    /// The ISO 4217 code: three letters.
    pub currency: String,
    /// Signed minor units.
    pub minor_units: i64,
    /// What the wallet holds after it; on wallets only.
    pub standing: Option<Standing>,
    /// When it was posted, in microseconds since 1970.
    pub created_at: i64,
}

/// The bytes are no part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PartError {
    /// They end too soon.
    #[error("the part is cut short")]
    Short,
    /// Something follows the part.
    #[error("bytes follow the part")]
    TrailingBytes,
    /// Another version or type, or a mark that is neither 0 nor 1.
    #[error("the part is of an unknown form")]
    UnknownForm,
    /// A text is not UTF-8.
    #[error("a text of the part is not UTF-8")]
    Text,
}

impl Header {
    /// The header's bytes. Texts are cut at 65,535 bytes; the ledger's have 80 at most.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, HEADER];
        bytes.extend(self.tenant.as_bytes());
        bytes.extend(self.transaction.as_bytes());
        bytes.extend(self.kind.to_be_bytes());
        bytes.extend(self.reverses.unwrap_or_default().as_bytes());
        bytes.extend(self.created_at.to_be_bytes());
        for text in [&self.external_id, &self.reference] {
            let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
            bytes.extend(length.to_be_bytes());
            bytes.extend(&text.as_bytes()[..usize::from(length)]);
        }
        bytes
    }
}

impl Posting {
    /// The posting's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, POSTING];
        bytes.extend(self.line.to_be_bytes());
        bytes.extend(self.account.as_bytes());
        let code = self.currency.as_bytes();
        bytes.extend([0, 1, 2].map(|place| code.get(place).copied().unwrap_or_default()));
        bytes.extend(self.minor_units.to_be_bytes());
        match self.standing {
            None => bytes.push(0),
            Some(Standing { balance, version }) => {
                bytes.push(1);
                bytes.extend(balance.to_be_bytes());
                bytes.extend(version.to_be_bytes());
            }
        }
        bytes.extend(self.created_at.to_be_bytes());
        bytes
    }
}

impl Part {
    /// Reads a part.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PartError> {
        let mut reader = Reader(bytes);
        let part = match reader.take::<2>()? {
            [VERSION, HEADER] => Self::Header(reader.header()?),
            [VERSION, POSTING] => Self::Posting(reader.posting()?),
            _ => return Err(PartError::UnknownForm),
        };
        if reader.0.is_empty() { Ok(part) } else { Err(PartError::TrailingBytes) }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], PartError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(PartError::Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn uuid(&mut self) -> Result<Uuid, PartError> {
        Ok(Uuid::from_bytes(self.take()?))
    }

    fn number(&mut self) -> Result<i64, PartError> {
        Ok(i64::from_be_bytes(self.take()?))
    }

    fn small(&mut self) -> Result<i16, PartError> {
        Ok(i16::from_be_bytes(self.take()?))
    }

    fn text(&mut self) -> Result<String, PartError> {
        let length = usize::from(u16::from_be_bytes(self.take()?));
        let (taken, rest) = self.0.split_at_checked(length).ok_or(PartError::Short)?;
        self.0 = rest;
        String::from_utf8(taken.to_vec()).map_err(|_| PartError::Text)
    }

    fn header(&mut self) -> Result<Header, PartError> {
        Ok(Header {
            tenant: self.uuid()?,
            transaction: self.uuid()?,
            kind: self.small()?,
            reverses: Some(self.uuid()?).filter(|reverses| !reverses.is_nil()),
            created_at: self.number()?,
            external_id: self.text()?,
            reference: self.text()?,
        })
    }

    fn posting(&mut self) -> Result<Posting, PartError> {
        Ok(Posting {
            line: self.small()?,
            account: self.uuid()?,
            currency: String::from_utf8(self.take::<3>()?.to_vec()).map_err(|_| PartError::Text)?,
            minor_units: self.number()?,
            standing: match self.take()? {
                [0] => None,
                [1] => Some(Standing { balance: self.number()?, version: self.number()? }),
                _ => return Err(PartError::UnknownForm),
            },
            created_at: self.number()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::{Header, Part, PartError, Posting, Standing};

    fn header() -> impl Strategy<Value = Header> {
        let ids = (any::<u128>(), any::<u128>(), any::<u128>());
        (ids, any::<i16>(), any::<i64>(), ".{0,20}", ".{0,20}").prop_map(
            |(ids, kind, created_at, external_id, reference)| Header {
                tenant: Uuid::from_u128(ids.0),
                transaction: Uuid::from_u128(ids.1),
                kind,
                reverses: Some(Uuid::from_u128(ids.2)).filter(|id| !id.is_nil()),
                created_at,
                external_id,
                reference,
            },
        )
    }

    fn posting() -> impl Strategy<Value = Posting> {
        let standing = prop::option::of((any::<i64>(), any::<i64>()));
        (any::<i16>(), any::<u128>(), any::<i64>(), standing, any::<i64>()).prop_map(
            |(line, account, minor_units, standing, created_at)| Posting {
                line,
                account: Uuid::from_u128(account),
                currency: "EUR".to_owned(),
                minor_units,
                standing: standing.map(|(balance, version)| Standing { balance, version }),
                created_at,
            },
        )
    }

    proptest! {
        #[test]
        fn a_part_reads_back_as_it_was_written(header in header(), posting in posting()) {
            for (part, bytes) in [
                (Part::Header(header.clone()), header.to_bytes()),
                (Part::Posting(posting.clone()), posting.to_bytes()),
            ] {
                prop_assert_eq!(Part::from_bytes(&bytes), Ok(part));
                let longer = [&bytes[..], &[0]].concat();
                prop_assert_eq!(Part::from_bytes(&longer), Err(PartError::TrailingBytes));
                for cut in 0..bytes.len() {
                    prop_assert!(Part::from_bytes(&bytes[..cut]).is_err());
                }
            }
        }

        #[test]
        fn noise_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = Part::from_bytes(&bytes);
        }
    }
}
