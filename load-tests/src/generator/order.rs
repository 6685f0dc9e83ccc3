//! In which order the messages of one sender arrive.

use std::time::Instant;

/// A message among those of its sender.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending {
    ordinal: u64,
    sent_at: Instant,
    answered_at: Option<Instant>,
}

impl Sending {
    /// Notes that the send is answered: what is sent from now on may not overtake it.
    pub(super) fn answered(&mut self) {
        self.answered_at = Some(Instant::now());
    }

    /// Whether the send is answered.
    pub(super) fn is_answered(&self) -> bool {
        self.answered_at.is_some()
    }
}

/// How a message arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// After everything that its sender had sent before.
    InOrder,
    /// After a later one that was sent while this one was not answered: no order is promised.
    Overtaken,
    /// After a later one that was sent when this one was answered.
    Misordered,
}

/// The messages of one sender to its one receiver.
#[derive(Debug, Default)]
pub(super) struct Order {
    sent: u64,
    /// The last sent of those that have arrived: its ordinal, and when it was sent.
    arrived: Option<(u64, Instant)>,
}

impl Order {
    /// Begins the sender's next message.
    pub(super) fn send(&mut self) -> Sending {
        self.sent += 1;
        Sending { ordinal: self.sent, sent_at: Instant::now(), answered_at: None }
    }

    /// Notes the first arrival of a message.
    pub(super) fn arrive(&mut self, message: Sending) -> Came {
        match self.arrived {
            Some((last, last_sent_at)) if last > message.ordinal => {
                let was_answered = message.answered_at.is_some_and(|at| at < last_sent_at);
                if was_answered { Came::Misordered } else { Came::Overtaken }
            }
            _ => {
                self.arrived = Some((message.ordinal, message.sent_at));
                Came::InOrder
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Came, Order, Sending};

    /// A moment later, as the clock tells it.
    fn later() {
        let now = Instant::now();
        while Instant::now() <= now {
            std::thread::sleep(Duration::from_micros(10));
        }
    }

    fn answered(mut message: Sending) -> Sending {
        later();
        message.answered();
        later();
        message
    }

    #[test]
    fn a_message_that_was_answered_may_not_be_overtaken_by_one_that_was_sent_then() {
        let mut order = Order::default();
        let first = answered(order.send());
        let second = order.send();
        assert_eq!(order.arrive(second), Came::InOrder);
        assert_eq!(order.arrive(first), Came::Misordered);
        let third = order.send();
        assert_eq!(order.arrive(third), Came::InOrder, "the late one is forgotten");
    }

    #[test]
    fn of_messages_that_are_under_way_at_once_none_is_first() {
        let mut order = Order::default();
        let (first, second, third) = (order.send(), order.send(), order.send());
        assert_eq!(order.arrive(third), Came::InOrder);
        assert_eq!(order.arrive(first), Came::Overtaken);
        assert_eq!(order.arrive(answered(second)), Came::Overtaken, "answered after it");
    }
}
