//! When messages are due: as soon as there is room (closed loop), or at a fixed rate, whatever the
//! server does (open loop).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::yield_now;

/// How messages follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// The next one when an earlier one is done.
    Closed,
    /// So many a second, evenly. A message that finds no room waits, and its wait counts.
    Open {
        /// Messages a second; more than 0.
        per_second: f64,
    },
}

/// Hands out the moments at which messages are due.
#[derive(Debug)]
pub(super) struct Pacer {
    pace: Pace,
    due: RefCell<VecDeque<Instant>>,
    more: Notify,
    stopped: Cell<bool>,
}

impl Pacer {
    pub(super) fn new(pace: Pace) -> Self {
        let (due, stopped) = (RefCell::default(), Cell::default());
        Self { pace, due, more: Notify::new(), stopped }
    }

    /// Waits for the next message to be due; `None` once the load stops.
    pub(super) async fn next(&self) -> Option<Instant> {
        loop {
            if self.stopped.get() {
                return None;
            }
            if self.pace == Pace::Closed {
                return Some(Instant::now());
            }
            if let Some(due) = self.due.borrow_mut().pop_front() {
                return Some(due);
            }
            self.more.notified().await;
        }
    }

    /// No message is due any more.
    pub(super) fn stop(&self) {
        self.stopped.set(true);
        self.more.notify_waiters();
    }

    /// Makes messages due until the load stops. Spins: timers are a millisecond coarse, and the
    /// generator has its core to itself.
    pub(super) async fn tick(self: Rc<Self>) {
        let Pace::Open { per_second } = self.pace else { return };
        let began = Instant::now();
        let mut handed_out = 0_u32;
        while !self.stopped.get() {
            loop {
                let due = began + Duration::from_secs_f64(f64::from(handed_out) / per_second);
                if due > Instant::now() {
                    break;
                }
                handed_out += 1;
                self.due.borrow_mut().push_back(due);
                self.more.notify_one();
            }
            yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;
    use std::time::{Duration, Instant};

    use tokio::task::LocalSet;

    use super::{Pace, Pacer};

    #[tokio::test]
    async fn a_late_taker_is_told_when_messages_were_due() {
        let taking = async {
            let pacer = Rc::new(Pacer::new(Pace::Open { per_second: 1_000.0 }));
            let began = Instant::now();
            tokio::task::spawn_local(Rc::clone(&pacer).tick());
            tokio::time::sleep(Duration::from_millis(50)).await;
            let first = pacer.next().await.unwrap();
            let second = pacer.next().await.unwrap();
            assert_eq!(second - first, Duration::from_millis(1));
            assert!(first - began < Duration::from_millis(40), "not when it was taken");
            pacer.stop();
            assert_eq!(pacer.next().await, None);
        };
        LocalSet::new().run_until(taking).await;
    }

    #[tokio::test]
    async fn in_a_closed_loop_a_message_is_due_at_once() {
        let pacer = Pacer::new(Pace::Closed);
        assert!(pacer.next().await.unwrap().elapsed() < Duration::from_secs(1));
        pacer.stop();
        assert_eq!(pacer.next().await, None);
    }
}
