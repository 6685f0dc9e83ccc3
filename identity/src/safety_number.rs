//! Safety numbers: how two people compare, by eye or by camera, that they see the same accounts.

use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hkdf::Hkdf;
use sha2::Sha256;

use crate::fingerprint::Fingerprint;

const LABEL: &str = "Plasma/v1/safety-number";
const QR_PREFIX: &str = "plasma-safety:1:";
const GROUPS: usize = 12;
const GROUP_LENGTH: usize = 5;

/// The number of a pair of accounts. Both people see the same sixty digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SafetyNumber {
    own: Fingerprint,
    peer: Fingerprint,
    groups: [u64; GROUPS],
}

/// What scanning the other person's code showed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SafetyComparison {
    /// Both devices see the same two accounts.
    Match,
    /// They do not: somebody is between the two, or one of them has a new account.
    Mismatch(SafetyMismatch),
}

/// Which account the two devices disagree on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SafetyMismatch {
    /// The other person's account is not the one that this device sees.
    Peer,
    /// The other person's device sees another account than this person's own.
    Own,
    /// Both, as when the code of somebody else was scanned.
    Both,
}

/// The text is not a safety number's code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the code is not that of a safety number")]
pub struct SafetyNumberError;

impl SafetyNumber {
    /// Computes the number of one's own account and another one's.
    ///
    /// # Panics
    ///
    /// Never: HKDF-SHA-256 yields up to 8,160 bytes.
    pub fn of(own: Fingerprint, peer: Fingerprint) -> Self {
        let (mut low, mut high) = (own.to_bytes(), peer.to_bytes());
        if high < low {
            core::mem::swap(&mut low, &mut high);
        }
        let mut out = [0; GROUPS * GROUP_LENGTH];
        Hkdf::<Sha256>::new(Some(&[0; 32]), &[low, high].concat())
            .expand(LABEL.as_bytes(), &mut out)
            .expect("HKDF-SHA-256 yields up to 8,160 bytes");
        let mut groups = [0; GROUPS];
        for (group, bytes) in groups.iter_mut().zip(out.as_chunks::<GROUP_LENGTH>().0) {
            *group = bytes.iter().fold(0, |value, &byte| value << 8 | u64::from(byte)) % 100_000;
        }
        Self { own, peer, groups }
    }

    /// Returns the sixty digits in one; [`fmt::Display`] sets them in groups of five.
    pub fn digits(&self) -> String {
        self.to_string().replace(' ', "")
    }

    /// Returns the text of the QR code that the other person scans.
    pub fn qr_text(&self) -> String {
        let both = [self.own.to_bytes(), self.peer.to_bytes()].concat();
        format!("{QR_PREFIX}{}", URL_SAFE_NO_PAD.encode(both))
    }

    /// Compares with the text of the QR code that the other person's device shows.
    pub fn compare(&self, scanned: &str) -> Result<SafetyComparison, SafetyNumberError> {
        let text = scanned.strip_prefix(QR_PREFIX).ok_or(SafetyNumberError)?;
        let mut bytes = [0; 2 * Fingerprint::LENGTH];
        if URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(bytes.len()) {
            return Err(SafetyNumberError);
        }
        let (mut theirs, mut ours) = ([0; Fingerprint::LENGTH], [0; Fingerprint::LENGTH]);
        theirs.copy_from_slice(&bytes[..Fingerprint::LENGTH]);
        ours.copy_from_slice(&bytes[Fingerprint::LENGTH..]);
        let peer = Fingerprint::from_bytes(theirs) == self.peer;
        let own = Fingerprint::from_bytes(ours) == self.own;
        Ok(match (peer, own) {
            (true, true) => SafetyComparison::Match,
            (false, true) => SafetyComparison::Mismatch(SafetyMismatch::Peer),
            (true, false) => SafetyComparison::Mismatch(SafetyMismatch::Own),
            (false, false) => SafetyComparison::Mismatch(SafetyMismatch::Both),
        })
    }
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, group) in self.groups.iter().enumerate() {
            let separator = if position == 0 { "" } else { " " };
            write!(f, "{separator}{group:05}")?;
        }
        Ok(())
    }
}
