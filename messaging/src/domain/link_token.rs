//! The secret part of a contact link.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// 128 random bits that lead to a user, written as 22 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LinkToken([u8; 16]);

impl std::fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkToken(..)")
    }
}

impl LinkToken {
    /// The token over random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// Reads the text form; `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// The text form.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What it is found by: SHA-256 of the 16 bytes.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The link under a base without trailing slash.
    pub fn url(&self, base: &str) -> String {
        format!("{}/c/{}", base.trim_end_matches('/'), self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::LinkToken;

    #[test]
    fn a_token_reads_back_as_it_was_written_and_in_no_second_way() {
        let token = LinkToken::new([0xfb; 16]);
        let text = token.text();
        assert_eq!(text.len(), 22);
        assert_eq!(LinkToken::parse(&text), Some(token));
        // The last character holds 2 bits of the token; a set bit below them is another spelling.
        let other = format!("{}x", &text[..21]);
        assert_eq!(LinkToken::parse(&other), None);
        assert_eq!(LinkToken::parse(&"!".repeat(22)), None);
        assert_eq!(token.url("https://a.example/"), format!("https://a.example/c/{text}"));
    }
}
