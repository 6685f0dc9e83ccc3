//! What the header of a message carries for a post-quantum step of the ratchet.

use core::fmt;

use ml_kem::ml_kem_768::Ciphertext;
use plasma_identity::KEM_KEY_LENGTH;
use plasma_identity::encoding::{DecodeError, Reader};

use crate::error::DecryptError;
use crate::kem::{KEM_CIPHERTEXT_LENGTH, KemKey};

const KEY_FLAG: u8 = 1;
const CIPHERTEXT_FLAG: u8 = 2;

/// The same in every message of a chain, so that the loss of some does no harm.
#[derive(Clone)]
pub(crate) enum Extension {
    /// A key for the peer to answer with its next turn.
    Key(KemKey),
    /// The answer to the peer's key, already mixed into the chain that carries it.
    Ciphertext(Box<Ciphertext>),
}

impl Extension {
    /// Length of the longest extension.
    pub(crate) const MAX_LENGTH: usize = KEM_KEY_LENGTH;

    /// Returns the header's flags.
    pub(crate) fn flags(extension: Option<&Self>) -> u8 {
        match extension {
            None => 0,
            Some(Self::Key(_)) => KEY_FLAG,
            Some(Self::Ciphertext(_)) => CIPHERTEXT_FLAG,
        }
    }

    /// Tells whether this version knows the flags.
    pub(crate) fn is_known(flags: u8) -> bool {
        matches!(flags, 0 | KEY_FLAG | CIPHERTEXT_FLAG)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Key(key) => key.as_bytes(),
            Self::Ciphertext(ciphertext) => ciphertext,
        }
    }

    /// Reads the extension that the header's flags announce.
    pub(crate) fn read(flags: u8, reader: &mut Reader<'_>) -> Result<Option<Self>, DecryptError> {
        match flags {
            0 => Ok(None),
            KEY_FLAG => Ok(Some(Self::Key(KemKey::read(reader)?))),
            CIPHERTEXT_FLAG => Ok(Some(Self::Ciphertext(read_ciphertext(reader)?))),
            _ => Err(DecryptError::UnsupportedVersion),
        }
    }
}

pub(crate) fn read_ciphertext(reader: &mut Reader<'_>) -> Result<Box<Ciphertext>, DecodeError> {
    Ok(Box::new(Ciphertext::from(reader.array::<KEM_CIPHERTEXT_LENGTH>()?)))
}

impl fmt::Debug for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Extension::Key(..)",
            Self::Ciphertext(_) => "Extension::Ciphertext(..)",
        })
    }
}
