//! Receiving chains and the keys of messages that have not arrived yet.

use plasma_identity::AgreementPublicKey;

use crate::error::DecryptError;
use crate::kdf;
use crate::secret::Secret;

/// How far a message may run ahead of its chain.
pub(crate) const MAX_FORWARD_JUMP: u32 = 2000;
/// How many keys of messages under way a session stores.
pub(crate) const MAX_SKIPPED_KEYS: usize = 2000;
/// How many receiving chains a session keeps, the open one included.
pub(crate) const MAX_RECEIVING_CHAINS: usize = 5;

/// The messages under one ratchet key of the peer.
#[derive(Clone, Debug)]
pub(crate) struct ReceivingChain {
    pub(super) remote: AgreementPublicKey,
    /// The chain key, wiped when the peer turns the ratchet.
    pub(super) key: Option<Secret>,
    /// Number of the next message.
    pub(super) number: u32,
    /// Keys of the messages below `number` that have not arrived, by ascending number.
    pub(super) skipped: Vec<(u32, Secret)>,
}

impl ReceivingChain {
    /// Finds the stored key of a message.
    pub(super) fn position(&self, number: u32) -> Option<usize> {
        self.skipped.binary_search_by_key(&number, |(stored, _)| *stored).ok()
    }

    /// Derives the keys that are left of an open chain whose length is now known.
    pub(super) fn remaining(&self, length: u32) -> Result<Vec<(u32, Secret)>, DecryptError> {
        match &self.key {
            Some(key) if length > self.number => Ok(skip(key, self.number, length)?.0),
            _ => Ok(Vec::new()),
        }
    }
}

/// A chain moved to and past one message.
pub(super) struct Ahead {
    pub(super) skipped: Vec<(u32, Secret)>,
    pub(super) message_key: Secret,
    pub(super) next: Secret,
    pub(super) number: u32,
}

/// Moves a chain from message `from` past message `to`.
pub(super) fn advance(chain: &Secret, from: u32, to: u32) -> Result<Ahead, DecryptError> {
    let number = to.checked_add(1).ok_or(DecryptError::TooFarAhead)?;
    let (skipped, chain) = skip(chain, from, to)?;
    let (message_key, next) = kdf::step(&chain);
    Ok(Ahead { skipped, message_key, next, number })
}

/// Derives the keys of the messages from `from` up to, but without, `to`.
fn skip(chain: &Secret, from: u32, to: u32) -> Result<(Vec<(u32, Secret)>, Secret), DecryptError> {
    if to.saturating_sub(from) > MAX_FORWARD_JUMP {
        return Err(DecryptError::TooFarAhead);
    }
    let mut chain = chain.clone();
    let mut skipped = Vec::new();
    for number in from..to {
        let (message_key, next) = kdf::step(&chain);
        skipped.push((number, message_key));
        chain = next;
    }
    Ok((skipped, chain))
}

/// Counts stored keys; a chain yields at most 2,000 at a time.
pub(super) fn count(keys: &[(u32, Secret)]) -> u32 {
    u32::try_from(keys.len()).unwrap_or(MAX_FORWARD_JUMP)
}
