//! One stream of a device: first what is stored, oldest first, then what arrives.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use plasma_kit::actor::DeviceActor;
use plasma_kit::status::ErrorReason;
use plasma_kit::{Failure, StoreError};
use plasma_proto::messaging::v1::{
    AccountReset, Heartbeat, Hello, QueueEmpty, Resume, ResumeReason, connect_response::Event,
};
use tokio::time::MissedTickBehavior;
use tonic::{Code, Status};

use super::checkpoint::Point;
use super::connection::{Connection, EventReceiver, Origin};
use super::offered::{Offered, State};
use super::parcel::{DeviceKey, Notice, Parcel};
use super::waiters::Answer;
use super::{Delivery, LAST_WORD_MAX, device_channel, node_channel, planted};
use crate::service;
use crate::store::{account_resets, envelopes};

const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(20);
/// Greatest age of a stream, less up to a tenth so that streams do not end together.
const AGE_MAX: Duration = Duration::from_mins(15);
/// How long to wait before the store is asked again after it failed.
const STORE_RETRY: Duration = Duration::from_millis(500);

/// What a newer stream does to an older.
pub(super) fn conflicting() -> Status {
    Failure::new(
        Code::Aborted,
        ErrorReason::ConflictingStream,
        "a newer stream of this device took over; do not reconnect by yourself",
    )
    .into()
}

/// The events of a device, in the form of `Connect`, which has all that `Receive` has.
pub struct EventStream {
    events: EventReceiver,
    connection: Arc<Connection>,
    is_over: bool,
}

impl EventStream {
    /// The way to write into the stream and to hear of its end.
    pub(crate) fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }
}

impl Stream for EventStream {
    type Item = Result<Event, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let stream = &mut *self;
        if stream.is_over {
            return Poll::Ready(None);
        }
        let event = stream.connection.poll_event(&mut stream.events, context);
        stream.is_over = matches!(event, Poll::Ready(None | Some(Err(_))));
        event
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.connection.end(None);
    }
}

impl Delivery {
    /// Opens a stream of a device; an older one ends.
    pub(crate) async fn receive(&self, device: DeviceActor) -> Result<EventStream, Failure> {
        // A caller that goes away meanwhile drops the stream once it is open, which ends it in order.
        let opening = tokio::spawn(self.clone().open(device));
        opening.await.unwrap_or_else(|_| Err(Failure::unavailable()))
    }

    async fn open(self, device: DeviceActor) -> Result<EventStream, Failure> {
        let node = &self.inner;
        if node.draining.is_cancelled() {
            return Err(Failure::unavailable());
        }
        let key = (device.tenant, device.device);
        let number = envelopes::next_connection(&node.db, key)
            .await?
            .ok_or_else(Failure::unauthenticated)?;
        node.checkpoints.pass(Point::Numbered).await;
        let (connection, events) = Connection::new(device, number, node.franking.clone());
        let connection = Arc::new(connection);
        // Whoever revokes the device or has news for it from now on finds its stream.
        if let Some(older) = node.hub.put(&connection) {
            older.end(Some(conflicting()));
        }
        // First the bus, then the store: whoever stores from now on finds a listener.
        if let Err(error) = node.bus.subscribe(&device_channel(key)).await {
            tracing::debug!(%error, "the bus is down; the sweep delivers");
        }
        node.checkpoints.pass(Point::Subscribed).await;
        let pending_reset = match self.pending_reset(key).await {
            Ok(pending_reset) => pending_reset,
            Err(failure) => {
                node.hub.remove(&connection);
                self.stop_listening(key).await;
                return Err(failure);
            }
        };
        let hello = Hello {
            heartbeat_interval: Some(plasma_kit::convert::duration(HEARTBEAT_INTERVAL)),
            pending_reset,
        };
        // Nothing is offered before: the stream has a backlog until its task has looked.
        connection.tell(Event::Hello(hello)).await;
        self.publish(&device_channel(key), key, &Notice::Takeover(number)).await;
        node.checkpoints.pass(Point::Registered).await;
        tokio::spawn(self.clone().serve(Arc::clone(&connection)));
        Ok(EventStream { events, connection, is_over: false })
    }

    /// The reset of its account that a device must be told of; `UNAUTHENTICATED` where the device
    /// was removed.
    pub(crate) async fn pending_reset(
        &self,
        device: DeviceKey,
    ) -> Result<Option<AccountReset>, Failure> {
        let node = &self.inner;
        let notice = account_resets::notice(&node.db, device).await?;
        let reset = notice.ok_or_else(Failure::unauthenticated)?;
        let reset = reset.filter(|reset| reset.is_pending(node.env.now()));
        Ok(reset.map(|reset| service::account_reset(&reset)))
    }

    /// Feeds one stream until it ends.
    async fn serve(self, connection: Arc<Connection>) {
        let key = (connection.device.tenant, connection.device.device);
        tokio::select! {
            () = connection.ended.cancelled() => {}
            () = self.feed(&connection, key) => {}
        }
        connection.end(None);
        self.inner.hub.remove(&connection);
        self.stop_listening(key).await;
        self.hand_back(&connection, key).await;
    }

    /// Ends the subscription of a device that left, unless it has come back meanwhile.
    pub(super) async fn stop_listening(&self, key: DeviceKey) {
        let node = &self.inner;
        if node.hub.knows(key) {
            return;
        }
        if let Err(error) = node.bus.unsubscribe(&device_channel(key)).await {
            tracing::debug!(%error, "a subscription stays until the bus is back");
        }
        if node.hub.knows(key)
            && let Err(error) = node.bus.subscribe(&device_channel(key)).await
        {
            tracing::debug!(%error, "the bus is down; the sweep delivers");
        }
    }

    async fn feed(&self, connection: &Connection, key: DeviceKey) {
        let age = tokio::time::sleep(age_max(self.inner.env.random()));
        tokio::pin!(age);
        let mut heartbeat = tokio::time::interval(HEARTBEAT_INTERVAL);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        heartbeat.reset();
        let mut told_empty = false;
        let mut offered = Offered::default();
        loop {
            if let Err(error) = self.drain_store(connection, key, &mut offered).await {
                tracing::warn!(%error, "the store failed a stream; trying again");
                tokio::time::sleep(STORE_RETRY).await;
                continue;
            }
            if !told_empty && !connection.has_backlog() && connection.is_settled() {
                told_empty = say(connection, Event::QueueEmpty(QueueEmpty {})).await;
            }
            loop {
                tokio::select! {
                    () = connection.wake.notified() => break,
                    _ = heartbeat.tick() => {
                        say(connection, Event::Heartbeat(Heartbeat {})).await;
                        if connection.has_backlog() {
                            break;
                        }
                    }
                    () = &mut age => {
                        let reason = ResumeReason::MaxAge.into();
                        say(connection, Event::Resume(Resume { reason })).await;
                        return;
                    }
                }
            }
        }
    }

    /// Offers what the store holds until all is offered or the window is full. Ends the stream of
    /// a device that the store no longer lists: the event that says so may be lost.
    async fn drain_store(
        &self,
        connection: &Connection,
        key: DeviceKey,
        offered: &mut Offered,
    ) -> Result<(), StoreError> {
        let node = &self.inner;
        let state = |envelope| {
            if connection.origin(envelope).is_some() {
                State::InFlight
            } else if node.batcher.is_to_go(envelope) {
                State::Buried
            } else {
                State::Gone
            }
        };
        loop {
            let hints = connection.hints();
            let portion = offered.settle(state);
            let except = offered.envelopes();
            let waiting = envelopes::waiting(&node.db, key, &except, portion).await?;
            node.checkpoints.pass(Point::Looked).await;
            if waiting.is_empty() && !envelopes::is_active(&node.db, key).await? {
                connection.end(Some(Failure::unauthenticated().into()));
                return Ok(());
            }
            let bytes: usize = waiting.iter().map(Parcel::bytes).sum();
            let complete = waiting.len() < portion.envelopes && bytes < portion.bytes;
            let overtaken: Vec<_> = waiting
                .iter()
                .filter(|parcel| node.batcher.was_overtaken(parcel.envelope))
                .map(|parcel| (key, parcel.envelope))
                .collect();
            if !overtaken.is_empty() {
                // A node that did not hear of the acknowledgement has stored them since.
                node.batcher.delete(overtaken).await?;
            }
            for parcel in waiting {
                let is_offered = connection.origin(parcel.envelope).is_some()
                    || node.batcher.is_buried(parcel.envelope)
                    || planted::is_behind_cursor(connection, parcel.envelope);
                if !is_offered {
                    // What arrives live from now on must not overtake it.
                    connection.fall_behind();
                    if !connection.offer_stored(&parcel) {
                        // The window is full: the next acknowledgements wake us.
                        return Ok(());
                    }
                    planted::moves_cursor(connection, parcel.envelope);
                }
                offered.insert(parcel.envelope, parcel.bytes());
            }
            if complete && connection.catch_up(hints) {
                return Ok(());
            }
        }
    }

    /// The stream is gone: sends that wait for it store at once.
    async fn hand_back(&self, connection: &Connection, key: DeviceKey) {
        for (envelope, origin) in connection.take_in_flight() {
            match origin {
                Origin::Stored => {}
                Origin::Here => {
                    self.inner.waiters.answer(envelope, Answer::Refused);
                }
                Origin::Node(from) => {
                    let notice = Notice::Refused(envelope);
                    self.publish(&node_channel(from), key, &notice).await;
                }
            }
        }
    }
}

/// Tells something that is no answer; a device that does not read is not waited for.
async fn say(connection: &Connection, event: Event) -> bool {
    tokio::time::timeout(LAST_WORD_MAX, connection.tell(event)).await.is_ok_and(|told| told)
}

fn age_max(random: [u8; 1]) -> Duration {
    let tenth = AGE_MAX / 10;
    tenth * 9 + tenth * u32::from(u8::MAX - random[0]) / u32::from(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::{AGE_MAX, age_max};

    #[test]
    fn streams_do_not_end_together() {
        assert_eq!(age_max([0]), AGE_MAX);
        assert_eq!(age_max([255]), AGE_MAX / 10 * 9);
        assert!(age_max([128]) < AGE_MAX);
    }
}
