//! Contact links: an address to resolve, and the fingerprint that makes it verifiable.

use std::fmt;
use std::str::FromStr;

use plasma_identity::Fingerprint;

use crate::error::Error;
use crate::qr;

const TOKEN_LENGTH: usize = 22;

/// A contact link. Browsers never send the part behind `#`, so that the service cannot exchange
/// the person and the fingerprint together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactLink {
    url: String,
    fingerprint: Option<Fingerprint>,
}

impl ContactLink {
    /// Joins the service's address with the fingerprint that the owner's device knows.
    pub(crate) fn new(url: String, fingerprint: Fingerprint) -> Result<Self, Error> {
        token_of(&url)?;
        Ok(Self { url, fingerprint: Some(fingerprint) })
    }

    /// Returns the address without its fragment.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the token: what stands behind `/c/`.
    pub fn token(&self) -> &str {
        token_of(&self.url).unwrap_or_default()
    }

    /// Returns the fingerprint; `None` for a link that was not made on the owner's device.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    /// Renders the link as a QR code in SVG.
    pub fn qr_svg(&self) -> Result<String, Error> {
        qr::svg(&self.to_string()).map_err(|_| Error::InvalidLink)
    }

    /// Renders the link as a QR code for a terminal with a dark background, two modules a character.
    pub fn qr_terminal(&self) -> Result<String, Error> {
        qr::terminal(&self.to_string()).map_err(|_| Error::InvalidLink)
    }
}

impl fmt::Display for ContactLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        match self.fingerprint {
            Some(fingerprint) => f.write_str(&fingerprint.to_fragment()),
            None => Ok(()),
        }
    }
}

impl FromStr for ContactLink {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (url, fragment) = match text.trim().split_once('#') {
            Some((url, fragment)) => (url, Some(fragment)),
            None => (text.trim(), None),
        };
        token_of(url)?;
        let fingerprint = fragment.map(str::parse).transpose().map_err(|_| Error::InvalidLink)?;
        Ok(Self { url: url.to_owned(), fingerprint })
    }
}

fn token_of(url: &str) -> Result<&str, Error> {
    let (_, token) = url.rsplit_once("/c/").ok_or(Error::InvalidLink)?;
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if token.len() == TOKEN_LENGTH && token.bytes().all(letters) {
        Ok(token)
    } else {
        Err(Error::InvalidLink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://chat.example/c/AbCdEfGhIjKlMnOpQrStUv";

    #[test]
    fn a_link_reads_back_with_its_fingerprint() {
        let link = ContactLink::new(URL.to_owned(), Fingerprint::from_bytes([7; 32])).unwrap();
        assert_eq!(link.to_string().parse::<ContactLink>().unwrap(), link);
        assert_eq!(link.token(), "AbCdEfGhIjKlMnOpQrStUv");
        assert!(link.qr_svg().unwrap().contains("<svg"));
        assert!(link.qr_terminal().unwrap().lines().count() > 15);
    }

    #[test]
    fn a_link_without_a_fragment_is_unverified_and_a_broken_fragment_is_no_link() {
        assert_eq!(URL.parse::<ContactLink>().unwrap().fingerprint(), None);
        let twice = format!("{URL}#{}", Fingerprint::from_bytes([7; 32]).to_fragment());
        let broken = [&format!("{URL}#"), &format!("{URL}#abc"), &twice, &URL[..40], ""];
        for text in broken {
            assert!(text.parse::<ContactLink>().is_err(), "{text}");
        }
    }
}
