//! Points at which a test can hold a send or a stream, to try every order in which they may meet.
//! Outside tests a point is nothing.

/// Where a send or a stream can be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Point {
    /// A send found the device offline or busy and is about to store.
    Undelivered,
    /// A send's envelope is committed, and nobody has been told.
    Committed,
    /// A stream has its number and nobody knows it.
    Numbered,
    /// A stream listens on the bus and is not among the node's streams.
    Subscribed,
    /// A stream is among the node's streams and has not looked at the store.
    Registered,
    /// A stream has looked at the store and has not gone live.
    Looked,
}

/// The points of one node.
#[cfg(not(test))]
#[derive(Debug)]
pub(crate) struct Checkpoints;

#[cfg(not(test))]
impl Checkpoints {
    pub(crate) fn new() -> Self {
        Self
    }

    /// Passes a point.
    #[expect(clippy::unused_async, reason = "a test may hold its caller here")]
    pub(crate) async fn pass(&self, _point: Point) {}
}

#[cfg(test)]
pub(crate) use held::Checkpoints;

#[cfg(test)]
mod held {
    use std::collections::HashMap;
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tokio::sync::Semaphore;

    use super::Point;

    /// The points of one node, of which some are held.
    #[derive(Debug, Default)]
    pub(crate) struct Checkpoints {
        gates: Mutex<HashMap<Point, Gate>>,
    }

    /// A held point: who waits at it, and when they may go on.
    #[derive(Debug, Clone)]
    pub(crate) struct Gate {
        reached: Arc<Semaphore>,
        open: Arc<Semaphore>,
    }

    impl Checkpoints {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) async fn pass(&self, point: Point) {
            let gate = self.gates.lock().remove(&point);
            if let Some(gate) = gate {
                gate.reached.add_permits(1);
                gate.open.acquire().await.unwrap().forget();
            }
        }

        /// Holds the next one to pass.
        pub(crate) fn hold(&self, point: Point) -> Gate {
            let gate =
                Gate { reached: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) };
            self.gates.lock().insert(point, gate.clone());
            gate
        }
    }

    impl Gate {
        /// Waits until someone is held.
        pub(crate) async fn reached(&self) {
            self.reached.acquire().await.unwrap().forget();
        }

        /// Lets it go on.
        pub(crate) fn open(&self) {
            self.open.add_permits(1);
        }
    }
}
