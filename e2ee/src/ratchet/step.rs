//! The post-quantum step: when one is due, what a chain carries for it, what a turn mixes in.
//!
//! One side's chain carries an ML-KEM key, the other side's next chain the ciphertext. Turns
//! alternate, so a key is answered before its owner turns again: what is under way is part of the
//! turn, and there is never more than one key of it.

use ml_kem::ml_kem_768::Ciphertext;
use plasma_identity::encoding::labelled_hash;
use rand_core::CryptoRng;

use crate::error::DecryptError;
use crate::extension::Extension;
use crate::kdf::{PQ_STEP_LABEL, PqSecret};
use crate::kem::{KemKey, KemSeed};
use crate::secret::Secret;

/// How many messages of a session, sent and received, make the next post-quantum step due.
pub const PQ_STEP_MESSAGES: u32 = 50;
/// How long after the last post-quantum step the next one is due, in seconds (7 days).
pub const PQ_STEP_SECONDS: u64 = 7 * 24 * 60 * 60;

/// What has passed since the session's start or its last step, on this side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) messages: u32,
    /// Unix seconds.
    pub(super) since: u64,
}

impl Pace {
    pub(super) fn start(now: u64) -> Self {
        Self { messages: 0, since: now }
    }

    /// Counts one message more.
    pub(super) fn count(&mut self) {
        self.messages = self.messages.saturating_add(1);
    }

    fn is_due(self, now: u64) -> bool {
        self.messages >= PQ_STEP_MESSAGES || now.saturating_sub(self.since) >= PQ_STEP_SECONDS
    }
}

/// What this side's sending chain carries for a step.
#[derive(Clone, Debug)]
pub(super) enum Carried {
    Nothing,
    /// A key that the peer answers with its next turn; the seed is wiped then.
    Key {
        seed: KemSeed,
        key: KemKey,
    },
    /// The answer to the peer's key.
    Ciphertext(Box<Ciphertext>),
}

impl Carried {
    /// Decides what a new sending chain carries, and what its turn mixes in.
    pub(super) fn decide<R: CryptoRng + ?Sized>(
        offered: Option<&KemKey>,
        pace: Pace,
        rng: &mut R,
        now: u64,
    ) -> (Self, Option<PqSecret>) {
        if let Some(key) = offered {
            let (ciphertext, shared) = key.encapsulate(rng);
            let secret = mix(shared, key, &ciphertext);
            return (Self::Ciphertext(Box::new(ciphertext)), Some(secret));
        }
        if pace.is_due(now) {
            let seed = KemSeed::generate(rng);
            let key = seed.public();
            return (Self::Key { seed, key }, None);
        }
        (Self::Nothing, None)
    }

    /// Returns what every header of the chain carries.
    pub(super) fn extension(&self) -> Option<Extension> {
        match self {
            Self::Nothing => None,
            Self::Key { key, .. } => Some(Extension::Key(key.clone())),
            Self::Ciphertext(ciphertext) => Some(Extension::Ciphertext(ciphertext.clone())),
        }
    }

    /// Reads what the peer's answering chain carries: what its turn mixes in, and the key that
    /// this side is to answer in its turn.
    pub(super) fn answer(
        &self,
        extension: Option<&Extension>,
    ) -> Result<(Option<PqSecret>, Option<KemKey>), DecryptError> {
        match (self, extension) {
            (Self::Key { seed, key }, Some(Extension::Ciphertext(ciphertext))) => {
                Ok((Some(mix(seed.decapsulate(ciphertext), key, ciphertext)), None))
            }
            (Self::Key { .. }, _) | (_, Some(Extension::Ciphertext(_))) => {
                Err(DecryptError::PqOutOfTurn)
            }
            (_, Some(Extension::Key(key))) => Ok((None, Some(key.clone()))),
            (_, None) => Ok((None, None)),
        }
    }
}

fn mix(shared: Secret, key: &KemKey, ciphertext: &Ciphertext) -> PqSecret {
    PqSecret { shared, step: labelled_hash(PQ_STEP_LABEL, &[key.as_bytes(), ciphertext]) }
}

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn nothing_that_is_printed_of_a_step_is_secret() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let pace = Pace { messages: PQ_STEP_MESSAGES, since: 0 };
        let (offer, _) = Carried::decide(None, pace, &mut rng, 0);
        let Some(Extension::Key(key)) = offer.extension() else { panic!("no key was offered") };
        let (answer, mixed) = Carried::decide(Some(&key), pace, &mut rng, 0);
        let (decapsulated, _) = offer.answer(answer.extension().as_ref()).unwrap();
        let (mixed, decapsulated) = (mixed.unwrap(), decapsulated.unwrap());
        assert_eq!(mixed.shared.expose(), decapsulated.shared.expose());
        assert_eq!(mixed.step, decapsulated.step);

        let Carried::Key { seed, .. } = &offer else { panic!("no seed is kept") };
        let mut secret = mixed.shared.expose().to_vec();
        seed.write(&mut secret);
        let printed = format!("{offer:?} {answer:?} {mixed:?} {seed:?} {key:?} {pace:?}");
        for window in secret.windows(4) {
            for list in [format!("{window:?}"), format!("{window:02x?}")] {
                assert!(!printed.contains(&list[1..list.len() - 1]), "{list}");
            }
        }
        assert!(format!("{offer:?}").starts_with("Key { seed: KemSeed(..), key: KemKey(["));
    }
}
