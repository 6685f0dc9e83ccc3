//! One open stream of a device on this node: what is in flight on it, and whether the device has a
//! backlog in the store.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;
use parking_lot::Mutex;
use plasma_kit::actor::DeviceActor;
use plasma_kit::ids::EnvelopeId;
use plasma_proto::messaging::v1::connect_response::Event;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

use super::franking::Franking;
use super::parcel::Parcel;

/// Most envelopes that may be unacknowledged on one stream.
pub(crate) const IN_FLIGHT_MAX: usize = 256;
/// Most bytes of envelopes that may be unacknowledged on one stream.
pub(crate) const IN_FLIGHT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Room for the envelopes in flight and for the events between them.
const EVENTS_MAX: usize = IN_FLIGHT_MAX + 16;

/// Boxed, because the queue of an idle stream has room for 32 of them.
type EventSender = mpsc::Sender<Box<Event>>;
pub(crate) type EventReceiver = mpsc::Receiver<Box<Event>>;

/// Where an envelope in flight came from, and so who is told of its acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The store.
    Stored,
    /// A send on this node.
    Here,
    /// A send on another node.
    Node(Uuid),
}

/// One open stream.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Whose stream it is.
    pub(crate) device: DeviceActor,
    /// The fence: the stream with the greater number is the newer.
    pub(crate) number: i64,
    /// Wakes the stream's task to look at the store.
    pub(crate) wake: Notify,
    /// Ends the stream's task.
    pub(crate) ended: CancellationToken,
    /// The same, asked without a lock.
    is_over: AtomicBool,
    franking: Franking,
    events: EventSender,
    /// The status that cut the stream off; nothing is written before it any more.
    cut: OnceLock<Status>,
    reader: AtomicWaker,
    window: Mutex<Window>,
    backlog: AtomicBool,
    hints: AtomicU64,
}

#[derive(Debug, Default)]
struct Window {
    in_flight: HashMap<EnvelopeId, (Origin, usize)>,
    bytes: usize,
    stored: usize,
}

impl Window {
    fn has_room_for(&self, bytes: usize) -> bool {
        // One envelope always fits, whatever its size.
        self.in_flight.is_empty()
            || (self.in_flight.len() < IN_FLIGHT_MAX && self.bytes + bytes <= IN_FLIGHT_BYTES_MAX)
    }

    /// Whether the store is worth a look: each lists what waits anew.
    fn is_half_free(&self) -> bool {
        self.in_flight.len() <= IN_FLIGHT_MAX / 2 && self.bytes <= IN_FLIGHT_BYTES_MAX / 2
    }

    fn insert(&mut self, envelope: EnvelopeId, origin: Origin, bytes: usize) {
        self.in_flight.insert(envelope, (origin, bytes));
        self.bytes += bytes;
        self.stored += usize::from(origin == Origin::Stored);
    }

    fn remove(&mut self, envelope: EnvelopeId) -> Option<Origin> {
        let (origin, bytes) = self.in_flight.remove(&envelope)?;
        self.bytes -= bytes;
        self.stored -= usize::from(origin == Origin::Stored);
        Some(origin)
    }
}

impl Connection {
    pub(crate) fn new(
        device: DeviceActor,
        number: i64,
        franking: Franking,
    ) -> (Self, EventReceiver) {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let connection = Self {
            device,
            number,
            wake: Notify::new(),
            ended: CancellationToken::new(),
            is_over: AtomicBool::new(false),
            franking,
            events,
            cut: OnceLock::new(),
            reader: AtomicWaker::new(),
            window: Mutex::default(),
            backlog: AtomicBool::new(true),
            hints: AtomicU64::new(0),
        };
        (connection, receiver)
    }

    /// Offers a live envelope; `false` where it must be stored: the device has a backlog, which
    /// live envelopes must not overtake, or its window is full.
    pub(crate) fn offer(&self, parcel: &Parcel, origin: Origin) -> bool {
        if self.has_backlog() {
            return false;
        }
        let taken = self.put(parcel, origin);
        if !taken {
            self.fall_behind();
        }
        taken
    }

    /// Offers an envelope from the store; `false` where the window is full.
    pub(crate) fn offer_stored(&self, parcel: &Parcel) -> bool {
        self.put(parcel, Origin::Stored)
    }

    fn put(&self, parcel: &Parcel, origin: Origin) -> bool {
        let event = Box::new(Event::Envelope(parcel.to_proto(&self.franking)));
        // Under the lock, so that the acknowledgement finds the envelope in flight, and so that
        // none is in flight once the stream has ended.
        let mut window = self.window.lock();
        if self.is_over() || !window.has_room_for(parcel.bytes()) {
            return false;
        }
        if window.in_flight.contains_key(&parcel.envelope) {
            // A frame of a sender that has stored it since, or the store's row of one that is live.
            return origin == Origin::Stored;
        }
        if self.events.try_send(event).is_err() {
            return false;
        }
        window.insert(parcel.envelope, origin, parcel.bytes());
        true
    }

    /// Takes an acknowledged envelope out of flight. Whatever is to keep the store from offering it
    /// again must be in place before.
    pub(crate) fn acknowledge(&self, envelope: EnvelopeId) {
        let mut window = self.window.lock();
        let Some(origin) = window.remove(envelope) else {
            return;
        };
        let (settled, half_free) = (window.stored == 0, window.is_half_free());
        drop(window);
        // Room for more of the backlog, or the backlog done.
        if (self.has_backlog() && half_free) || (origin == Origin::Stored && settled) {
            self.wake.notify_one();
        }
    }

    /// Where an envelope in flight came from; `None` where it is not in flight here.
    pub(crate) fn origin(&self, envelope: EnvelopeId) -> Option<Origin> {
        self.window.lock().in_flight.get(&envelope).map(|(origin, _)| *origin)
    }

    /// Whether nothing from the store is unacknowledged.
    pub(crate) fn is_settled(&self) -> bool {
        self.window.lock().stored == 0
    }

    /// Everything in flight, once the stream has ended.
    pub(crate) fn take_in_flight(&self) -> Vec<(EnvelopeId, Origin)> {
        let mut window = self.window.lock();
        let taken = std::mem::take(&mut *window);
        taken.in_flight.into_iter().map(|(envelope, (origin, _))| (envelope, origin)).collect()
    }

    /// Whether the store may hold envelopes that the device has not been offered.
    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.load(Ordering::Acquire)
    }

    /// Notes that something was stored for the device, and has the store looked at.
    pub(crate) fn hint(&self) {
        self.hints.fetch_add(1, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// Has the store say whether the device still is one, before anything more is offered live.
    pub(crate) fn suspect(&self) {
        self.fall_behind();
        self.hint();
    }

    /// Notes that live envelopes must wait behind the store.
    pub(crate) fn fall_behind(&self) {
        self.backlog.store(true, Ordering::Release);
    }

    /// A mark to compare by [`Connection::catch_up`].
    pub(crate) fn hints(&self) -> u64 {
        self.hints.load(Ordering::Acquire)
    }

    /// Notes that the store holds nothing that was not offered; `false` where something was stored
    /// since `hints` was read.
    pub(crate) fn catch_up(&self, hints: u64) -> bool {
        self.backlog.store(false, Ordering::Release);
        if self.hints() == hints {
            return true;
        }
        self.backlog.store(true, Ordering::Release);
        false
    }

    /// Sends an event that is not an envelope; `false` where the stream is gone.
    pub(crate) async fn tell(&self, event: Event) -> bool {
        if self.is_over() {
            return false;
        }
        let event = match self.events.try_send(Box::new(event)) {
            Ok(()) => return true,
            Err(TrySendError::Closed(_)) => return false,
            Err(TrySendError::Full(event)) => event,
        };
        tokio::select! {
            () = self.ended.cancelled() => false,
            sent = self.events.send(event) => sent.is_ok(),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Ends the stream: with a status at once, whatever was about to be written; without one in
    /// order, when all that was offered is written.
    pub(crate) fn end(&self, status: Option<Status>) {
        if let Some(status) = status {
            // A stream ends once: the first status stays.
            let _ = self.cut.set(status);
        }
        let window = self.window.lock();
        self.is_over.store(true, Ordering::Release);
        self.ended.cancel();
        drop(window);
        self.reader.wake();
    }

    /// What the stream's reader gets next.
    pub(crate) fn poll_event(
        &self,
        events: &mut EventReceiver,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Event, Status>>> {
        if let Some(status) = self.cut.get() {
            return Poll::Ready(Some(Err(status.clone())));
        }
        if let Poll::Ready(event) = events.poll_recv(context) {
            return Poll::Ready(event.map(|event| Ok(*event)));
        }
        self.reader.register(context.waker());
        // Whoever ended the stream before the waker was in place woke nobody.
        if let Some(status) = self.cut.get() {
            return Poll::Ready(Some(Err(status.clone())));
        }
        if self.is_over() {
            // Nothing more is offered; what was offered last may have come just now.
            return Poll::Ready(events.try_recv().ok().map(|event| Ok(*event)));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::super::franking::tests::franking;
    use super::super::parcel::tests::parcel;
    use super::*;

    fn open() -> (Connection, EventReceiver) {
        Connection::new(parcel(1, 1).sender, 1, franking())
    }

    #[test]
    fn live_envelopes_wait_behind_a_backlog() {
        let (connection, _events) = open();
        assert!(!connection.offer(&parcel(1, 1), Origin::Here));
        assert!(connection.offer_stored(&parcel(1, 1)));
        let hints = connection.hints();
        connection.hint();
        assert!(!connection.catch_up(hints));
        assert!(!connection.offer(&parcel(2, 1), Origin::Here));
        assert!(connection.catch_up(connection.hints()));
        assert!(connection.offer(&parcel(2, 1), Origin::Here));
    }

    #[test]
    fn the_window_bounds_count_and_bytes() {
        let (connection, _events) = open();
        assert!(connection.catch_up(connection.hints()));
        for number in 0..IN_FLIGHT_MAX as u128 {
            assert!(connection.offer(&parcel(number, 1), Origin::Here), "{number}");
        }
        assert!(!connection.offer(&parcel(1_000, 1), Origin::Here));
        assert!(connection.catch_up(connection.hints()));
        assert_eq!(connection.origin(parcel(0, 1).envelope), Some(Origin::Here));
        connection.acknowledge(parcel(0, 1).envelope);
        assert_eq!(connection.origin(parcel(0, 1).envelope), None);
        assert!(!connection.offer(&parcel(1_000, IN_FLIGHT_BYTES_MAX), Origin::Here));
        // What was refused is stored, and what follows must not overtake it.
        assert!(!connection.offer(&parcel(1_001, 1), Origin::Here));
        assert!(connection.catch_up(connection.hints()));
        assert!(connection.offer(&parcel(1_001, 1), Origin::Here));
    }

    #[test]
    fn one_envelope_always_fits() {
        let (connection, _events) = open();
        assert!(connection.offer_stored(&parcel(1, IN_FLIGHT_BYTES_MAX + 1)));
    }

    #[test]
    fn an_envelope_is_in_flight_once() {
        let (connection, mut events) = open();
        assert!(connection.offer_stored(&parcel(1, 5)));
        assert!(connection.catch_up(connection.hints()));
        // The sender's frame comes late: it has stored the envelope since.
        assert!(!connection.offer(&parcel(1, 5), Origin::Here));
        assert!(connection.offer_stored(&parcel(1, 5)));
        assert!(events.try_recv().is_ok() && events.try_recv().is_err());
        connection.acknowledge(parcel(1, 5).envelope);
        assert!(connection.is_settled());
        assert_eq!(connection.window.lock().bytes, 0);
    }
}
