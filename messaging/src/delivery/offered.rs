//! What a stream's task has offered of the store and must not offer again: what is in flight, and
//! what is acknowledged and about to be deleted. Everything else that the store holds is to be
//! offered, whatever its place in the order.

use std::collections::HashMap;

use plasma_kit::ids::EnvelopeId;

use super::connection::{IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MAX};
use crate::store::envelopes::Portion;

/// What has become of an envelope that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The device has not acknowledged it.
    InFlight,
    /// The device has; its row is about to go.
    Buried,
    /// There is no row of it that anybody knows of.
    Gone,
}

/// The envelopes and their sizes.
#[derive(Debug, Default)]
pub(super) struct Offered {
    sizes: HashMap<EnvelopeId, usize>,
}

impl Offered {
    pub(super) fn insert(&mut self, envelope: EnvelopeId, bytes: usize) {
        self.sizes.insert(envelope, bytes);
    }

    /// Forgets what is gone, and says how much the window has room for: something at least, since
    /// that nothing at all waits is worth to know, too.
    pub(super) fn settle(&mut self, state: impl Fn(EnvelopeId) -> State) -> Portion {
        let (mut envelopes, mut bytes) = (0, 0);
        self.sizes.retain(|envelope, size| {
            let state = state(*envelope);
            if state == State::InFlight {
                envelopes += 1;
                bytes += *size;
            }
            state != State::Gone
        });
        if self.sizes.is_empty() {
            // A stream without a backlog keeps no memory for one.
            self.sizes = HashMap::new();
        }
        Portion {
            envelopes: IN_FLIGHT_MAX.saturating_sub(envelopes).max(1),
            bytes: IN_FLIGHT_BYTES_MAX.saturating_sub(bytes).max(1),
        }
    }

    /// What must not be offered again.
    pub(super) fn envelopes(&self) -> Vec<EnvelopeId> {
        self.sizes.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn envelope(number: usize) -> EnvelopeId {
        EnvelopeId(Uuid::from_u128(number as u128))
    }

    #[test]
    fn what_is_in_flight_takes_room_and_what_is_gone_is_forgotten() {
        let mut offered = Offered::default();
        for number in 0..100 {
            offered.insert(envelope(number), 1_000);
        }
        let portion = offered.settle(|one| match one.0.as_u128() {
            0..30 => State::Gone,
            30..50 => State::Buried,
            _ => State::InFlight,
        });
        assert_eq!(portion.envelopes, IN_FLIGHT_MAX - 50);
        assert_eq!(portion.bytes, IN_FLIGHT_BYTES_MAX - 50_000);
        let mut left = offered.envelopes();
        left.sort_unstable_by_key(|one| one.0);
        assert_eq!(left, (30..100).map(envelope).collect::<Vec<_>>());
        offered.settle(|_| State::Gone);
        assert_eq!(offered.envelopes(), []);
        assert_eq!(offered.sizes.capacity(), 0);
    }

    #[test]
    fn a_full_window_still_looks() {
        let mut offered = Offered::default();
        for number in 0..IN_FLIGHT_MAX {
            offered.insert(envelope(number), IN_FLIGHT_BYTES_MAX);
        }
        let portion = offered.settle(|_| State::InFlight);
        assert_eq!((portion.envelopes, portion.bytes), (1, 1));
    }
}
