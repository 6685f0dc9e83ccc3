//! The same acts by vodozemac, Matrix' implementation of Olm: X25519 instead of P-256, AES-CBC with
//! HMAC instead of GCM, no ML-KEM, no signature of the handshake.

use anyhow::{Context, Result, ensure};
use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig};

use super::CONTENT_LENGTH;

/// Two accounts that begin a session anew each time.
pub(super) struct Strangers {
    first: Account,
    second: Account,
}

impl Strangers {
    pub(super) fn new() -> Self {
        Self { first: Account::new(), second: Account::new() }
    }

    /// One session and its first message.
    pub(super) fn meet(&mut self) -> Result<()> {
        self.begin().map(drop)
    }

    fn begin(&mut self) -> Result<[Session; 2]> {
        // Their one-time keys are made here; ours are made outside of what is measured, where a
        // device makes them.
        self.second.generate_one_time_keys(1);
        let key = *self.second.one_time_keys().values().next().context("a one-time key")?;
        self.second.mark_keys_as_published();
        let config = SessionConfig::version_1();
        let mut ours =
            self.first.create_outbound_session(config, self.second.curve25519_key(), key)?;
        let message = ours.encrypt([7; CONTENT_LENGTH])?;
        let OlmMessage::PreKey(message) = message else {
            anyhow::bail!("the first message begins no session")
        };
        let sender = self.first.curve25519_key();
        let accepted = self.second.create_inbound_session(config, sender, &message)?;
        ensure!(accepted.plaintext.len() == CONTENT_LENGTH, "another text came out");
        Ok([ours, accepted.session])
    }
}

/// An established session.
pub(super) struct Conversation {
    sessions: [Session; 2],
    turns: usize,
}

impl Conversation {
    pub(super) fn begin() -> Result<Self> {
        let mut conversation = Self { sessions: Strangers::new().begin()?, turns: 1 };
        for _ in 0..4 {
            conversation.turn()?;
        }
        Ok(conversation)
    }

    /// One message, from the side that received the last one.
    pub(super) fn turn(&mut self) -> Result<()> {
        self.pass()?;
        self.turns += 1;
        Ok(())
    }

    /// One message more from the same side.
    pub(super) fn step(&mut self) -> Result<()> {
        self.pass()
    }

    fn pass(&mut self) -> Result<()> {
        let [first, second] = &mut self.sessions;
        let (from, to) =
            if self.turns.is_multiple_of(2) { (first, second) } else { (second, first) };
        let message = from.encrypt([7; CONTENT_LENGTH])?;
        ensure!(to.decrypt(&message)?.len() == CONTENT_LENGTH, "another text came out");
        Ok(())
    }
}
