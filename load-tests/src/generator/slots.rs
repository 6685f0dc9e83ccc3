//! The messages in flight: who waits for which delivery.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Instant;

use bytes::Bytes;

use super::order::Sending;
use super::protocol::Mark;

/// One delivery: where it arrived and under which id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The device that received it.
    pub device: usize,
    /// The envelope's id, to be acknowledged.
    pub envelope_id: Bytes,
}

/// What became of a delivery that was noted.
#[derive(Debug, Clone, Copy)]
pub enum Noted {
    /// The message was waited for, and was due at this moment.
    First(Instant, Sending),
    /// The message had arrived before, or is none of this load.
    Again,
}

#[derive(Debug, Default)]
struct Slot {
    sequence: u32,
    /// When the message was due; `None` when none is waited for.
    due: Option<Instant>,
    sending: Option<Sending>,
    arrival: Option<Arrival>,
    waker: Option<Waker>,
}

/// Places for a fixed number of messages.
#[derive(Debug)]
pub struct Slots(Vec<RefCell<Slot>>);

impl Slots {
    /// Makes empty places.
    pub fn new(count: u16) -> Self {
        Self((0..count).map(|_| RefCell::default()).collect())
    }

    /// Begins a message in a place; its mark.
    pub fn begin(&self, place: u16, due: Instant, sending: Sending) -> Mark {
        let mut slot = self.0[usize::from(place)].borrow_mut();
        slot.sequence += 1;
        slot.due = Some(due);
        slot.sending = Some(sending);
        slot.arrival = None;
        Mark { place: place.into(), sequence: slot.sequence }
    }

    /// Notes that the send of the message in a place is answered.
    pub fn answered(&self, place: u16) {
        if let Some(sending) = &mut self.0[usize::from(place)].borrow_mut().sending {
            sending.answered();
        }
    }

    /// Notes a delivery.
    pub fn note(&self, mark: Mark, arrival: Arrival) -> Noted {
        let place = usize::try_from(mark.place).ok().and_then(|place| self.0.get(place));
        let Some(mut slot) = place.map(RefCell::borrow_mut) else { return Noted::Again };
        if slot.sequence != mark.sequence {
            return Noted::Again;
        }
        let (Some(due), Some(sending)) = (slot.due.take(), slot.sending) else {
            return Noted::Again;
        };
        slot.arrival = Some(arrival);
        if let Some(waker) = slot.waker.take() {
            waker.wake();
        }
        Noted::First(due, sending)
    }

    /// Waits for the delivery of the message in a place.
    pub async fn arrival(&self, place: u16) -> Arrival {
        poll_fn(|context| {
            let mut slot = self.0[usize::from(place)].borrow_mut();
            if let Some(arrival) = slot.arrival.take() {
                return Poll::Ready(arrival);
            }
            slot.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Counts the messages that have not arrived.
    pub fn waiting(&self) -> usize {
        self.0.iter().filter(|slot| slot.borrow().due.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::super::order::Order;
    use super::{Arrival, Mark, Noted, Slots};

    fn arrival() -> Arrival {
        Arrival { device: 3, envelope_id: Bytes::from_static(b"env_1") }
    }

    #[tokio::test]
    async fn a_message_arrives_once() {
        let slots = Slots::new(2);
        let due = Instant::now();
        let mark = slots.begin(1, due, Order::default().send());
        assert_eq!(slots.waiting(), 1);
        slots.answered(1);
        let noted = slots.note(mark, arrival());
        assert!(matches!(noted, Noted::First(when, it) if when == due && it.is_answered()));
        assert!(matches!(slots.note(mark, arrival()), Noted::Again));
        assert_eq!(slots.arrival(1).await, arrival());
        assert_eq!(slots.waiting(), 0);
    }

    #[test]
    fn what_is_not_waited_for_is_noticed() {
        let slots = Slots::new(1);
        let due = Instant::now();
        let mut order = Order::default();
        let earlier = slots.begin(0, due, order.send());
        let mark = slots.begin(0, due, order.send());
        let unknown = Mark { place: 9, sequence: 1 };
        for mark in [earlier, unknown] {
            assert!(matches!(slots.note(mark, arrival()), Noted::Again));
        }
        assert!(matches!(slots.note(mark, arrival()), Noted::First(..)));
    }
}
