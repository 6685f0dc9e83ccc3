//! How simulated devices behave: how long they wait, and for what.

use std::time::Duration;

/// How devices behave. What is set here is what the clients of this project do.
#[derive(Debug, Clone)]
pub struct Manner {
    /// How a device talks to a node.
    pub transport: Transport,
    /// Bytes of ciphertext of an opaque message, at least 16.
    pub ciphertext_length: usize,
    /// Acknowledgements that are sent together at most.
    pub acknowledge_count: usize,
    /// How long an acknowledgement waits for others.
    pub acknowledge_wait: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a call may take.
    pub call_timeout: Duration,
    /// For how long a call is tried again.
    pub patience: Duration,
    /// For how long nodes remember what they looked up for a message (`messaging/src/directory`).
    pub look_ups_kept: Duration,
    /// Silence after which a stream counts as dead.
    pub silence: Duration,
    /// The shortest and the longest wait before a stream is opened again.
    pub backoff: (Duration, Duration),
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            transport: Transport::Unary,
            ciphertext_length: 1024,
            acknowledge_count: 16,
            acknowledge_wait: Duration::from_millis(20),
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(15),
            patience: Duration::from_secs(20),
            look_ups_kept: Duration::from_mins(5),
            silence: Duration::from_mins(1),
            backoff: (Duration::from_millis(50), Duration::from_secs(2)),
        }
    }
}

/// The calls that carry messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// `Send` and `Acknowledge` as calls, `Receive` as a stream
    Unary,
    /// All on one stream, `Connect`
    Connect,
}

/// Waits between attempts: longer each time.
#[derive(Debug)]
pub(super) struct Backoff {
    bounds: (Duration, Duration),
    next: Duration,
}

impl Backoff {
    pub(super) fn new(bounds: (Duration, Duration)) -> Self {
        Self { bounds, next: bounds.0 }
    }

    /// The next wait, before it is spread.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.bounds.1);
        wait
    }

    pub(super) fn reset(&mut self) {
        self.next = self.bounds.0;
    }
}
