//! A recovery key as twelve words of BIP-39's English list.

use std::borrow::Cow;

use bip39::{Language, Mnemonic};
use zeroize::Zeroizing;

use super::RecoveryError;

const WORDS: usize = 12;

/// Writes 16 bytes as twelve words, one space between them.
pub(super) fn write(entropy: &[u8; 16]) -> Zeroizing<String> {
    let mnemonic = Mnemonic::from_entropy_in(Language::English, entropy)
        .expect("16 bytes are a length that BIP-39 has");
    // Twelve words of at most eight letters.
    let mut text = Zeroizing::new(String::with_capacity(WORDS * 9));
    for word in mnemonic.words() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

/// Reads twelve words in any case and with any white space between them.
pub(super) fn read(text: &str) -> Result<Zeroizing<[u8; 16]>, RecoveryError> {
    let mut decomposed = Cow::Borrowed(text);
    Mnemonic::normalize_utf8_cow(&mut decomposed);
    let decomposed = Zeroizing::new(decomposed.into_owned());
    let words = Zeroizing::new(decomposed.to_lowercase());
    let count = words.split_whitespace().count();
    if count != WORDS {
        return Err(RecoveryError::WordCount(count));
    }
    let mnemonic =
        Mnemonic::parse_in_normalized(Language::English, &words).map_err(|error| match error {
            bip39::Error::UnknownWord(index) => RecoveryError::UnknownWord(index + 1),
            _ => RecoveryError::Checksum,
        })?;
    let (bytes, _) = mnemonic.to_entropy_array();
    let bytes = Zeroizing::new(bytes);
    let mut entropy = Zeroizing::new([0; 16]);
    entropy.copy_from_slice(&bytes[..16]);
    Ok(entropy)
}
