//! The texts of QR codes that hold a secret: a prefix that names kind and version, and base64url.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// Builds the text of a code.
pub(crate) fn text(prefix: &str, bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + bytes.len() * 4 / 3 + 4));
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text
}

/// Reads the text of a code that holds exactly `N` bytes, in their only encoding.
pub(crate) fn read<const N: usize>(prefix: &str, text: &str) -> Option<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    let encoded = text.strip_prefix(prefix)?;
    let length = URL_SAFE_NO_PAD.decode_slice(encoded, bytes.as_mut_slice()).ok()?;
    (length == N).then_some(bytes)
}
