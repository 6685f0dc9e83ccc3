//! Whom a simulated device writes to, and what it writes.

use bytes::Bytes;

use crate::dice::Dice;
use crate::ledger::{DeviceNumber, Mark};

/// A chat of a device: with a user who has one device.
#[derive(Debug, Clone)]
pub struct Contact {
    /// The chat, `chat_…`; empty at the bare relay.
    pub chat_id: String,
    /// The peer's device in the book.
    pub peer: DeviceNumber,
    /// The peer's device.
    pub peer_id: u128,
    /// Names the manifest of the peer's user.
    pub manifest_hash: Bytes,
}

/// The content of opaque messages: the mark, and random bytes that are the same in all of a load,
/// so that a change is seen.
#[derive(Debug)]
pub(super) struct Filler(Vec<u8>);

const MARK_LENGTH: usize = 16;

impl Filler {
    pub(super) fn new(seed: u64, length: usize) -> Self {
        let mut bytes = vec![0; length.max(MARK_LENGTH)];
        Dice::new(seed).fill(&mut bytes);
        Self(bytes)
    }

    pub(super) fn content(&self, mark: Mark) -> Bytes {
        let mut content = self.0.clone();
        content[..8].copy_from_slice(&mark.run.to_be_bytes());
        content[8..MARK_LENGTH].copy_from_slice(&u64::from(mark.number).to_be_bytes());
        content.into()
    }

    /// Reads the mark, and whether what follows it is as it was sent. A message of an earlier load
    /// has another filler, and another run.
    pub(super) fn read(&self, content: &[u8]) -> Option<(Mark, bool)> {
        let (mark, rest) = content.split_at_checked(MARK_LENGTH)?;
        let half = |at: usize| Some(u64::from_be_bytes(mark.get(at..at + 8)?.try_into().ok()?));
        let mark = Mark { run: half(0)?, number: u32::try_from(half(8)?).ok()? };
        Some((mark, rest == &self.0[MARK_LENGTH..]))
    }
}

#[cfg(test)]
mod tests {
    use super::Filler;
    use crate::ledger::Mark;

    #[test]
    fn a_content_carries_its_mark_and_shows_each_change() {
        let filler = Filler::new(1, 64);
        let mark = Mark { run: 5, number: 9 };
        let content = filler.content(mark);
        assert_eq!(content.len(), 64);
        assert_eq!(filler.read(&content), Some((mark, true)));
        for place in 16..64 {
            let mut changed = content.to_vec();
            changed[place] ^= 1;
            assert_eq!(filler.read(&changed), Some((mark, false)));
        }
        assert_eq!(filler.read(&content[..63]), Some((mark, false)));
        assert_eq!(filler.read(&content[..15]), None);
        assert_eq!(Filler::new(2, 64).read(&content), Some((mark, false)));
    }
}
