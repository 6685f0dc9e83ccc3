//! The account's fingerprint: what a contact link carries behind `#`.

use core::fmt;
use core::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use crate::address::UserAddress;
use crate::encoding::labelled_hash;
use crate::keys::RootPublicKey;

const LABEL: &str = "Plasma/v1/fingerprint";

/// SHA-256 over label, tenant, user and the root public key. It survives every change of devices.
///
/// Its text form is base64url without padding, 43 characters.
#[derive(Clone, Copy)]
pub struct Fingerprint([u8; Self::LENGTH]);

/// The text is not the base64url form of 32 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the text is not a fingerprint")]
pub struct FingerprintError;

impl Fingerprint {
    /// Length of the raw form.
    pub const LENGTH: usize = 32;

    pub(crate) fn compute(user: UserAddress, root: &RootPublicKey) -> Self {
        let (tenant, user) = (user.tenant.as_bytes(), user.user.as_bytes());
        Self(labelled_hash(LABEL, &[tenant, user, root.as_bytes()]))
    }

    /// Takes the raw form.
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// Returns the raw form.
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        self.0
    }

    /// Borrows the raw form.
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Returns the fragment of a contact link, `#` included.
    pub fn to_fragment(self) -> String {
        format!("#{self}")
    }

    /// Reads the fragment of a contact link, with or without its `#`.
    pub fn from_fragment(fragment: &str) -> Result<Self, FingerprintError> {
        fragment.strip_prefix('#').unwrap_or(fragment).parse()
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Fingerprint {}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; Self::LENGTH];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(Self::LENGTH) => Ok(Self(bytes)),
            _ => Err(FingerprintError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_read_back_and_other_text_is_refused() {
        let fingerprint = Fingerprint::from_bytes([0xfb; 32]);
        let text = fingerprint.to_fragment();
        assert_eq!(text.len(), 44);
        assert_eq!(Fingerprint::from_fragment(&text), Ok(fingerprint));
        assert_eq!(Fingerprint::from_fragment(&text[1..]), Ok(fingerprint));
        for bad in ["", "#", "abc", &format!("{text}="), &format!("{text}AA"), &text[..43]] {
            assert_eq!(Fingerprint::from_fragment(bad), Err(FingerprintError), "{bad}");
        }
    }
}
