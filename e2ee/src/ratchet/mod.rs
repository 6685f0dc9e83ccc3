//! The double ratchet: one turn for each change of direction, one step for each message.
//!
//! After the Double Ratchet specification (signal.org/docs/specifications/doubleratchet), with the
//! turn of the sending side put off until something is sent. Opening computes a [`Change`] and
//! leaves the state alone; the caller applies it when everything else has succeeded.

mod receiving;
#[cfg(test)]
pub(crate) mod specimens;
mod stored;

use plasma_identity::AgreementPublicKey;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use self::receiving::ReceivingChain;
use self::receiving::{MAX_RECEIVING_CHAINS, MAX_SKIPPED_KEYS};
use crate::agreement::AgreementKey;
use crate::cipher::Sealed;
use crate::error::{DecryptError, EncryptError};
use crate::header::{Header, SessionId};
use crate::kdf;
use crate::secret::Secret;

/// Whose ratchet key is the newest.
#[derive(Clone, Debug)]
enum Turn {
    /// This side's: it sends on the chain, and its private key answers the peer's next turn.
    Ours {
        key: AgreementKey,
        /// Absent for the responder's signed prekey, with which nothing is ever sent.
        chain: Option<Secret>,
        number: u32,
        previous: u32,
    },
    /// The peer's: this side makes a new key when it next sends.
    Theirs { remote: AgreementPublicKey, previous: u32 },
}

/// The state of one double ratchet.
#[derive(Clone, Debug)]
pub(crate) struct Ratchet {
    session_id: SessionId,
    root: Secret,
    turn: Turn,
    /// Oldest first; only the last one is open.
    receiving: Vec<ReceivingChain>,
}

/// One message to send, and the state after it.
pub(crate) struct SendingStep {
    pub(crate) ratchet_key: AgreementPublicKey,
    pub(crate) previous: u32,
    pub(crate) number: u32,
    pub(crate) message_key: Secret,
    root: Secret,
    turn: Turn,
}

/// What a received message does to the state.
#[derive(Debug)]
pub(crate) enum Change {
    /// A stored key was used.
    Used { chain: usize, position: usize },
    /// The open chain moved on.
    Moved { skipped: Vec<(u32, Secret)>, next: Secret, number: u32 },
    /// The peer turned the ratchet.
    Turned { closing: Vec<(u32, Secret)>, root: Secret, opened: Box<ReceivingChain> },
}

impl Ratchet {
    /// The initiator turns the ratchet against the responder's signed prekey at once.
    pub(crate) fn initiator<R: CryptoRng + ?Sized>(
        session_id: SessionId,
        root: &Secret,
        signed_prekey: &AgreementPublicKey,
        rng: &mut R,
    ) -> Self {
        let key = AgreementKey::generate(rng);
        let (root, chain) = kdf::turn(root, &key.agree(signed_prekey), &session_id.0);
        let turn = Turn::Ours { key, chain: Some(chain), number: 0, previous: 0 };
        Self { session_id, root, turn, receiving: Vec::new() }
    }

    /// The responder's signed prekey is its first ratchet key.
    pub(crate) fn responder(
        session_id: SessionId,
        root: Secret,
        signed_prekey: AgreementKey,
    ) -> Self {
        let turn = Turn::Ours { key: signed_prekey, chain: None, number: 0, previous: 0 };
        Self { session_id, root, turn, receiving: Vec::new() }
    }

    /// Computes the next message key to send with; [`Ratchet::commit`] makes it count.
    pub(crate) fn next<R: CryptoRng + ?Sized>(
        &self,
        rng: &mut R,
    ) -> Result<SendingStep, EncryptError> {
        match &self.turn {
            Turn::Ours { key, chain: Some(chain), number, previous } => {
                let next_number = number.checked_add(1).ok_or(EncryptError::ChainExhausted)?;
                let (message_key, next) = kdf::step(chain);
                Ok(SendingStep {
                    ratchet_key: *key.public(),
                    previous: *previous,
                    number: *number,
                    message_key,
                    root: self.root.clone(),
                    turn: Turn::Ours {
                        key: key.clone(),
                        chain: Some(next),
                        number: next_number,
                        previous: *previous,
                    },
                })
            }
            Turn::Ours { chain: None, .. } => Err(EncryptError::NoSession),
            Turn::Theirs { remote, previous } => {
                let key = AgreementKey::generate(rng);
                let (root, chain) = kdf::turn(&self.root, &key.agree(remote), &self.session_id.0);
                let (message_key, next) = kdf::step(&chain);
                Ok(SendingStep {
                    ratchet_key: *key.public(),
                    previous: *previous,
                    number: 0,
                    message_key,
                    root,
                    turn: Turn::Ours { key, chain: Some(next), number: 1, previous: *previous },
                })
            }
        }
    }

    /// Makes a sent message count.
    pub(crate) fn commit(&mut self, step: SendingStep) {
        self.root = step.root;
        self.turn = step.turn;
    }

    /// Opens a message and returns what it would change.
    pub(crate) fn open(
        &self,
        header: &Header,
        sealed: Sealed<'_>,
    ) -> Result<(Zeroizing<Vec<u8>>, Change), DecryptError> {
        let known = self.receiving.iter().position(|chain| chain.remote == header.ratchet_key);
        match known {
            Some(index) => self.open_known(index, header, sealed),
            None => self.open_turned(header, sealed),
        }
    }

    fn open_known(
        &self,
        index: usize,
        header: &Header,
        sealed: Sealed<'_>,
    ) -> Result<(Zeroizing<Vec<u8>>, Change), DecryptError> {
        let chain = &self.receiving[index];
        if header.number < chain.number {
            let position = chain.position(header.number).ok_or(DecryptError::Duplicate)?;
            let body = sealed.open(&chain.skipped[position].1)?;
            return Ok((body, Change::Used { chain: index, position }));
        }
        // A closed chain ends where the peer said that it does.
        let key = chain.key.as_ref().ok_or(DecryptError::TooFarAhead)?;
        let ahead = receiving::advance(key, chain.number, header.number)?;
        let body = sealed.open(&ahead.message_key)?;
        let change =
            Change::Moved { skipped: ahead.skipped, next: ahead.next, number: ahead.number };
        Ok((body, change))
    }

    fn open_turned(
        &self,
        header: &Header,
        sealed: Sealed<'_>,
    ) -> Result<(Zeroizing<Vec<u8>>, Change), DecryptError> {
        let Turn::Ours { key, .. } = &self.turn else {
            return Err(DecryptError::OutOfTurn);
        };
        let closing = match self.receiving.last() {
            Some(open) => open.remaining(header.previous)?,
            None => Vec::new(),
        };
        let agreement = key.agree(&header.ratchet_key);
        let (root, chain) = kdf::turn(&self.root, &agreement, &self.session_id.0);
        let ahead = receiving::advance(&chain, 0, header.number)?;
        let body = sealed.open(&ahead.message_key)?;
        let opened = ReceivingChain {
            remote: header.ratchet_key,
            key: Some(ahead.next),
            number: ahead.number,
            skipped: ahead.skipped,
        };
        Ok((body, Change::Turned { closing, root, opened: Box::new(opened) }))
    }

    /// Makes a received message count.
    pub(crate) fn apply(&mut self, change: Change) {
        match change {
            Change::Used { chain, position } => {
                self.receiving[chain].skipped.remove(position);
            }
            Change::Moved { skipped, next, number } => {
                if let Some(open) = self.receiving.last_mut() {
                    open.skipped.extend(skipped);
                    open.key = Some(next);
                    open.number = number;
                }
            }
            Change::Turned { closing, root, opened } => {
                if let Some(last) = self.receiving.last_mut() {
                    last.number = last.number.saturating_add(receiving::count(&closing));
                    last.skipped.extend(closing);
                    last.key = None;
                }
                let previous = match self.turn {
                    Turn::Ours { number, .. } => number,
                    Turn::Theirs { previous, .. } => previous,
                };
                self.turn = Turn::Theirs { remote: opened.remote, previous };
                self.root = root;
                self.receiving.push(*opened);
            }
        }
        self.trim();
    }

    /// Drops the oldest chains and the oldest stored keys above the limits.
    fn trim(&mut self) {
        let chains = self.receiving.len().saturating_sub(MAX_RECEIVING_CHAINS);
        self.receiving.drain(..chains);
        let stored: usize = self.receiving.iter().map(|chain| chain.skipped.len()).sum();
        let mut excess = stored.saturating_sub(MAX_SKIPPED_KEYS);
        for chain in &mut self.receiving {
            let dropped = excess.min(chain.skipped.len());
            chain.skipped.drain(..dropped);
            excess -= dropped;
        }
    }
}
