//! Simulated devices: enrolled, listening, sending, acknowledging, and coming back after whatever
//! happens to their connection.
//!
//! Owns how a device behaves. Two kinds behind one interface: **opaque** ones write random bytes of
//! the right size through `h2` itself, thousands in one process; **sealed** ones are the Rust client
//! (`plasma-client`) with everything that it does. What is sent and received goes into the book
//! (`ledger`) and the `meters`. It does **not** own when who writes to whom, which is the profiles'
//! business, nor how devices are enrolled (`enrollment`).

mod call_error;
mod contact;
mod link;
mod manner;
mod opaque;
mod presence;
mod sealed;
mod session;
mod speech;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use call_error::CallError;
pub use contact::Contact;
use contact::Filler;
pub use link::{Incoming, Link};
pub use manner::{Manner, Transport};
pub use opaque::OpaqueDevice;
pub use sealed::SealedDevice;
pub use session::{Identity, sign_in};
pub use speech::Speech;

use crate::ledger::{DeviceNumber, Ledger};
use crate::meters::Meters;

/// What all devices of a load share.
#[derive(Debug)]
pub struct Surroundings {
    /// The book.
    pub ledger: Arc<Ledger>,
    /// The meters.
    pub meters: Arc<Meters>,
    /// How devices behave.
    pub manner: Manner,
    /// The nodes. A device begins with that of its own number, and goes to the next whenever one
    /// fails it.
    nodes: Vec<SocketAddr>,
    filler: Filler,
}

impl Surroundings {
    /// Takes the nodes of a service, or the one bare relay.
    pub fn new(
        ledger: Arc<Ledger>,
        meters: Arc<Meters>,
        manner: Manner,
        nodes: Vec<SocketAddr>,
    ) -> Self {
        let filler = Filler::new(ledger.seed(), manner.ciphertext_length);
        Self { ledger, meters, manner, nodes, filler }
    }

    fn node(&self, turn: usize) -> Option<SocketAddr> {
        self.nodes.get(turn % self.nodes.len().max(1)).copied()
    }
}

/// How a device leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// What has arrived is acknowledged first.
    InOrder,
    /// The connection is gone at once, as when a phone loses its network.
    AtOnce,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It was answered OK.
    Accepted,
    /// The service refused it.
    Refused,
    /// There was no answer for as long as the device had patience.
    Unanswered,
}

/// A simulated device. Clones are the same device. It listens until it is told to leave.
#[derive(Debug, Clone)]
pub enum Device {
    /// Writes random bytes.
    Opaque(Arc<OpaqueDevice>),
    /// Writes through the Rust client.
    Sealed(Arc<SealedDevice>),
}

impl Device {
    /// Its number in the book.
    pub fn number(&self) -> DeviceNumber {
        match self {
            Self::Opaque(device) => device.number(),
            Self::Sealed(device) => device.number(),
        }
    }

    /// How many chats it has.
    pub fn contacts(&self) -> usize {
        match self {
            Self::Opaque(device) => device.contacts(),
            Self::Sealed(device) => device.contacts(),
        }
    }

    /// Begins to listen, and goes on until it leaves. Without effect while it listens.
    pub fn connect(&self) {
        match self {
            Self::Opaque(device) => device.connect(),
            Self::Sealed(device) => device.connect(),
        }
    }

    /// Whether it listens: it was told to, and has not left.
    pub fn is_listening(&self) -> bool {
        match self {
            Self::Opaque(device) => device.is_listening(),
            Self::Sealed(device) => device.is_listening(),
        }
    }

    /// Waits until everything that was stored for it has come; `false` where that takes too long.
    pub async fn until_ready(&self, at_most: Duration) -> bool {
        match self {
            Self::Opaque(device) => device.until_ready(at_most).await,
            Self::Sealed(device) => device.until_ready(at_most).await,
        }
    }

    /// Leaves. Without effect while it does not listen.
    pub async fn disconnect(&self, leaving: Leaving) {
        match self {
            Self::Opaque(device) => device.disconnect(leaving).await,
            Self::Sealed(device) => device.disconnect(leaving).await,
        }
    }

    /// Writes one message in the chat of a place, which is counted round, due at a moment that may
    /// have passed. It is repeated with the same id until it is answered or the patience is over.
    pub async fn send(&self, chat: usize, due: Instant) -> Sent {
        match self {
            Self::Opaque(device) => device.send(chat, due).await,
            Self::Sealed(device) => device.send(chat, due).await,
        }
    }
}
