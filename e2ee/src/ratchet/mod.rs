//! The double ratchet: one turn for each change of direction, one step for each message.
//!
//! After the Double Ratchet specification (signal.org/docs/specifications/doubleratchet), with the
//! turn of the sending side put off until something is sent, and with a post-quantum step mixed into
//! a turn now and then ([`step`]). Opening computes a [`Change`] and
//! leaves the state alone; the caller applies it when everything else has succeeded.

mod receiving;
#[cfg(test)]
#[cfg(not(plasma_toy_primitives))]
pub(crate) mod specimens;
mod step;
mod stored;

pub use self::step::{PQ_STEP_MESSAGES, PQ_STEP_SECONDS};

use plasma_identity::AgreementPublicKey;
use rand_core::CryptoRng;

use self::receiving::ReceivingChain;
use self::receiving::{MAX_RECEIVING_CHAINS, MAX_SKIPPED_KEYS};
use self::step::{Carried, Pace};
use crate::agreement::AgreementKey;
use crate::cipher::{Opened, Sealed};
use crate::error::{DecryptError, EncryptError};
use crate::extension::Extension;
use crate::header::{Header, SessionId};
use crate::kdf::{self, PqSecret};
use crate::kem::KemKey;
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
        carried: Carried,
    },
    /// The peer's: this side makes a new key when it next sends, and answers the ML-KEM key that
    /// the peer's chain carried.
    Theirs { remote: AgreementPublicKey, previous: u32, offered: Option<KemKey> },
}

impl Turn {
    /// The turn that a session begins with.
    fn first(key: AgreementKey, chain: Option<Secret>) -> Self {
        Self::Ours { key, chain, number: 0, previous: 0, carried: Carried::Nothing }
    }
}

/// The state of one double ratchet.
#[derive(Clone, Debug)]
pub(crate) struct Ratchet {
    session_id: SessionId,
    root: Secret,
    turn: Turn,
    /// Oldest first; only the last one is open.
    receiving: Vec<ReceivingChain>,
    pace: Pace,
}

/// One message to send, and the state after it.
pub(crate) struct SendingStep {
    pub(crate) ratchet_key: AgreementPublicKey,
    pub(crate) previous: u32,
    pub(crate) number: u32,
    pub(crate) message_key: Secret,
    pub(crate) extension: Option<Extension>,
    root: Secret,
    turn: Turn,
    pace: Pace,
}

/// What a received message does to the state.
#[derive(Debug)]
pub(crate) enum Change {
    /// A stored key was used.
    Used { chain: usize, position: usize },
    /// The open chain moved on.
    Moved { skipped: Vec<(u32, Secret)>, next: Secret, number: u32 },
    /// The peer turned the ratchet.
    Turned {
        closing: Vec<(u32, Secret)>,
        root: Secret,
        opened: Box<ReceivingChain>,
        offered: Option<KemKey>,
        pq_step: bool,
    },
}

impl Ratchet {
    /// The initiator turns the ratchet against the responder's signed prekey at once.
    pub(crate) fn initiator<R: CryptoRng + ?Sized>(
        session_id: SessionId,
        root: &Secret,
        signed_prekey: &AgreementPublicKey,
        rng: &mut R,
        now: u64,
    ) -> Self {
        let key = AgreementKey::generate(rng);
        let (root, chain) = kdf::turn(root, &key.agree(signed_prekey), &session_id.0);
        let turn = Turn::first(key, Some(chain));
        Self { session_id, root, turn, receiving: Vec::new(), pace: Pace::start(now) }
    }

    /// The responder's signed prekey is its first ratchet key.
    pub(crate) fn responder(
        session_id: SessionId,
        root: Secret,
        signed_prekey: AgreementKey,
        now: u64,
    ) -> Self {
        let turn = Turn::first(signed_prekey, None);
        Self { session_id, root, turn, receiving: Vec::new(), pace: Pace::start(now) }
    }

    /// Computes the next message key to send with; [`Ratchet::commit`] makes it count.
    pub(crate) fn next<R: CryptoRng + ?Sized>(
        &self,
        rng: &mut R,
        now: u64,
    ) -> Result<SendingStep, EncryptError> {
        match &self.turn {
            Turn::Ours { key, chain: Some(chain), number, previous, carried } => {
                let next_number = number.checked_add(1).ok_or(EncryptError::ChainExhausted)?;
                let (message_key, next) = kdf::step(chain);
                Ok(SendingStep {
                    ratchet_key: *key.public(),
                    previous: *previous,
                    number: *number,
                    message_key,
                    extension: carried.extension(),
                    root: self.root.clone(),
                    turn: Turn::Ours {
                        key: key.clone(),
                        chain: Some(next),
                        number: next_number,
                        previous: *previous,
                        carried: carried.clone(),
                    },
                    pace: self.pace,
                })
            }
            Turn::Ours { chain: None, .. } => Err(EncryptError::NoSession),
            Turn::Theirs { remote, previous, offered } => {
                let key = AgreementKey::generate(rng);
                let (carried, pq) = Carried::decide(offered.as_ref(), self.pace, rng, now);
                let (root, chain) = self.turned(&key.agree(remote), pq.as_ref());
                let (message_key, next) = kdf::step(&chain);
                Ok(SendingStep {
                    ratchet_key: *key.public(),
                    previous: *previous,
                    number: 0,
                    message_key,
                    extension: carried.extension(),
                    root,
                    turn: Turn::Ours {
                        key,
                        chain: Some(next),
                        number: 1,
                        previous: *previous,
                        carried,
                    },
                    pace: if pq.is_some() { Pace::start(now) } else { self.pace },
                })
            }
        }
    }

    /// Returns this side's ratchet key, if it is the newest and something was sent with it.
    pub(crate) fn sending_key(&self) -> Option<&AgreementPublicKey> {
        match &self.turn {
            Turn::Ours { key, chain: Some(_), .. } => Some(key.public()),
            Turn::Ours { chain: None, .. } | Turn::Theirs { .. } => None,
        }
    }

    /// Makes a sent message count.
    pub(crate) fn commit(&mut self, step: SendingStep) {
        self.root = step.root;
        self.turn = step.turn;
        self.pace = step.pace;
        self.pace.count();
    }

    /// The root and the chain key after a turn.
    fn turned(&self, agreement: &Secret, pq: Option<&PqSecret>) -> (Secret, Secret) {
        let session_id = &self.session_id.0;
        match pq {
            None => kdf::turn(&self.root, agreement, session_id),
            Some(pq) => kdf::pq_turn(&self.root, agreement, pq, session_id),
        }
    }

    /// Opens a message and returns what it would change.
    pub(crate) fn open(
        &self,
        header: &Header,
        sealed: Sealed<'_>,
    ) -> Result<(Opened, Change), DecryptError> {
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
    ) -> Result<(Opened, Change), DecryptError> {
        let chain = &self.receiving[index];
        if header.number < chain.number {
            let position = chain.position(header.number).ok_or(DecryptError::Duplicate)?;
            let opened = sealed.open(&chain.skipped[position].1)?;
            return Ok((opened, Change::Used { chain: index, position }));
        }
        // A closed chain ends where the peer said that it does.
        let key = chain.key.as_ref().ok_or(DecryptError::TooFarAhead)?;
        let ahead = receiving::advance(key, chain.number, header.number)?;
        let opened = sealed.open(&ahead.message_key)?;
        let change =
            Change::Moved { skipped: ahead.skipped, next: ahead.next, number: ahead.number };
        Ok((opened, change))
    }

    fn open_turned(
        &self,
        header: &Header,
        sealed: Sealed<'_>,
    ) -> Result<(Opened, Change), DecryptError> {
        let Turn::Ours { key, carried, .. } = &self.turn else {
            return Err(DecryptError::OutOfTurn);
        };
        let closing = match self.receiving.last() {
            Some(open) => open.remaining(header.previous)?,
            None => Vec::new(),
        };
        let (pq, offered) = carried.answer(header.extension.as_ref())?;
        let (root, chain) = self.turned(&key.agree(&header.ratchet_key), pq.as_ref());
        let ahead = receiving::advance(&chain, 0, header.number)?;
        let message = sealed.open(&ahead.message_key)?;
        let opened = ReceivingChain {
            remote: header.ratchet_key,
            key: Some(ahead.next),
            number: ahead.number,
            skipped: ahead.skipped,
        };
        let (opened, pq_step) = (Box::new(opened), pq.is_some());
        Ok((message, Change::Turned { closing, root, opened, offered, pq_step }))
    }

    /// Makes a message count that was received at `now` (unix seconds).
    pub(crate) fn apply(&mut self, change: Change, now: u64) {
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
            Change::Turned { closing, root, opened, offered, pq_step } => {
                if let Some(last) = self.receiving.last_mut() {
                    last.number = last.number.saturating_add(receiving::count(&closing));
                    last.skipped.extend(closing);
                    last.key = None;
                }
                let previous = match self.turn {
                    Turn::Ours { number, .. } => number,
                    Turn::Theirs { previous, .. } => previous,
                };
                self.turn = Turn::Theirs { remote: opened.remote, previous, offered };
                self.root = root;
                if pq_step {
                    self.pace = Pace::start(now);
                }
                self.receiving.push(*opened);
            }
        }
        self.pace.count();
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
