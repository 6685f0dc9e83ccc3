//! The book of a load: what was sent, answered, received and acknowledged, and whether that is what
//! the service promises.
//!
//! Owns the verdict. Every message has a number in this book, which travels inside its content; so
//! a delivery is recognised by what only its sender can have written, not by what the service says
//! beside it. It does **not** own how messages travel (`traffic`) nor how long that takes
//! (`meters`).
//!
//! What is held against the service:
//!
//! - **lost**: answered OK, and not at every device that it was for when the load had drained;
//! - **shown twice**: shown to a person once more, after the deduplication by message id;
//! - **out of order**: a message overtook one of the same sender to the same device that had been
//!   answered OK before the later one was sent;
//! - **delivered after its acknowledgement** had been answered OK: on a stream that was opened
//!   later, or on the stream that had carried it already;
//! - **answered too early**: said to be acknowledged by a device that had not been given it;
//! - **misdelivered, changed, invented**: at a device that it was not for, with another content,
//!   sender or id, or of a number that nobody has sent.
//!
//! An envelope that is offered twice on the wire is no fault: the contract is at least once. It is
//! counted as repeated.

mod book;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use book::Book;
pub use verdict::{Order, Policy, Verdict, Wrong};

/// A device in the book.
pub type DeviceNumber = u32;

/// What a message's content carries: the load that it belongs to, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The load.
    pub run: u64,
    /// The message.
    pub number: u32,
}

impl Mark {
    /// The id of the message, where its sender can choose it.
    pub fn message_id(self) -> u128 {
        (u128::from(self.run) << 64) | (u128::from(self.number) + 1)
    }
}

/// Who can say that an envelope has arrived at a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// This program reads the envelopes itself, each before it acknowledges it.
    Wire,
    /// A client reads and acknowledges them, and tells later what it shows.
    Client,
}

/// What an answer says of the envelope for one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The device has acknowledged it.
    Delivered,
    /// It is stored.
    Stored,
    /// It is on its way, which is all that a bare relay knows.
    Relayed,
    /// The device is gone and gets nothing.
    Revoked,
}

/// What arrived at a device.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The device.
    pub device: DeviceNumber,
    /// What the content carries.
    pub mark: Mark,
    /// Whether content, sender and message id are what was sent.
    pub is_intact: bool,
    /// The stream and the envelope's id on it; `None` where a client shows the message.
    pub offer: Option<Offer>,
}

/// An envelope on a stream.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// The stream, of [`Ledger::opened`].
    pub stream: u32,
    /// The envelope.
    pub envelope: u128,
}

/// What an arrival is to the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The message's first at this device.
    First {
        /// Since the moment for which it was due.
        after: Duration,
    },
    /// The message has arrived here before.
    Again,
    /// Nothing to go by: of another load, or wrong.
    Other,
}

/// What has happened so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Tally {
    /// Messages whose sending has begun.
    pub sent: u64,
    /// Messages that were answered OK.
    pub accepted: u64,
    /// Messages that the service refused.
    pub refused: u64,
    /// Messages that were given up without an answer.
    pub unanswered: u64,
    /// Envelopes that were answered as acknowledged, or as on their way.
    pub delivered: u64,
    /// Envelopes that were answered as stored.
    pub stored: u64,
    /// Envelopes that arrived, each counted once.
    pub received: u64,
    /// Envelopes that were offered once more, which is allowed.
    pub repeated: u64,
    /// Envelopes of other loads.
    pub foreign: u64,
    /// Acknowledgements that were answered OK.
    pub acknowledged: u64,
    /// Envelopes that were answered OK and have not arrived yet.
    pub awaited: u64,
}

/// The book. Shared by everything that sends and receives.
#[derive(Debug)]
pub struct Ledger {
    run: u64,
    seed: u64,
    begun: Instant,
    book: Mutex<Book>,
}

impl Ledger {
    /// Opens a book. The seed is only printed with what is wrong; the run tells its messages from
    /// those of other loads on the same service.
    pub fn new(seed: u64, run: u64) -> Self {
        Self { run, seed, begun: Instant::now(), book: Mutex::default() }
    }

    /// The seed of the load.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Enters a device; `id` is its name in what goes wrong.
    pub fn enlist(&self, id: u128, witness: Witness) -> DeviceNumber {
        self.book().enlist(id, witness)
    }

    /// Begins a message from one device to others. It is due at a moment that may have passed.
    pub fn begin(&self, sender: DeviceNumber, to: &[DeviceNumber], due: Instant) -> Mark {
        let due = self.since_begun(due);
        let now = self.now();
        Mark { run: self.run, number: self.book().begin(sender, to, due, now) }
    }

    /// Notes that a message was answered OK, with what became of each envelope.
    pub fn accepted(&self, mark: Mark, answers: &[(DeviceNumber, Answer)]) {
        let now = self.now();
        self.book().accepted(mark.number, answers, now);
    }

    /// Notes that the service refused a message.
    pub fn refused(&self, mark: Mark) {
        self.book().refused(mark.number);
    }

    /// Notes that a message was given up: it may arrive or not, but once.
    pub fn unanswered(&self, mark: Mark) {
        self.book().unanswered(mark.number);
    }

    /// Notes that a stream is about to be opened.
    pub fn opened(&self) -> u32 {
        self.book().opened()
    }

    /// Notes an arrival, before it is acknowledged.
    pub fn received(&self, arrival: &Arrival) -> Seen {
        let now = self.now();
        self.book().received(self.run, arrival, now)
    }

    /// Notes that the acknowledgement of envelopes was answered OK.
    pub fn acknowledged(&self, device: DeviceNumber, envelopes: &[u128]) {
        self.book().acknowledged(device, envelopes);
    }

    /// Whether a message is of a sender, by the id that it was entered with. One of another load may
    /// be of anybody.
    pub fn is_from(&self, mark: Mark, sender: u128) -> bool {
        mark.run != self.run || self.book().sender(mark.number) == Some(sender)
    }

    /// What has happened so far.
    pub fn tally(&self) -> Tally {
        self.book().tally()
    }

    /// Counts for each device how many envelopes that were answered OK have not arrived there.
    pub fn awaited(&self) -> HashMap<DeviceNumber, usize> {
        self.book().awaited()
    }

    /// Judges everything so far. What has not arrived by now counts as lost: drain before.
    pub fn verdict(&self, policy: Policy) -> Verdict {
        verdict::judge(&self.book(), self.seed, self.run, policy)
    }

    fn now(&self) -> u64 {
        self.since_begun(Instant::now())
    }

    /// Microseconds since the book was opened.
    fn since_begun(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.begun).as_micros()).unwrap_or(u64::MAX)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
