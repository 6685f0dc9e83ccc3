//! Recovery: the key that only the person has, and what it seals.

mod key;
mod words;

pub use self::key::RecoveryKey;

use plasma_identity::RecoveryKitError;

/// Why a recovery key was not read or a kit not opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecoveryError {
    /// The text does not have twelve words.
    #[error("a recovery key has twelve words, not {0}")]
    WordCount(usize),
    /// A word is not on the list: its position, from 1.
    #[error("word {0} is not on the list")]
    UnknownWord(usize),
    /// Every word is on the list, but together they are not a recovery key: one is another, or
    /// two have changed places.
    #[error("the words do not fit together: one is wrong, or the order is")]
    Checksum,
    /// The text is not a recovery key's code.
    #[error("the code is not that of a recovery key")]
    NotARecoveryCode,
    /// The recovery key does not open the kit: it is another key's, or was changed.
    #[error("the recovery key does not open the kit")]
    WrongKey,
    /// The kit does not hold the root that it names.
    #[error(transparent)]
    Kit(#[from] RecoveryKitError),
}
