//! Offers envelopes, waits for their acknowledgement, stores the rest.

use std::time::{Duration, Instant};

use futures::future::join_all;
use plasma_kit::Failure;
use plasma_kit::status::ErrorReason;
use plasma_proto::messaging::v1::DeliveryState;
use tonic::Code;

use super::checkpoint::Point;
use super::connection::Origin;
use super::parcel::{DeviceKey, Notice, Parcel};
use super::planted::{self, Bug};
use super::quota::Tally;
use super::waiters::{Answer, Waiting};
use super::{Delivery, device_channel};
use crate::store::envelopes;

/// What came of offering an envelope.
enum Attempt<'a> {
    /// It is on its way to the device.
    Offered(Offer<'a>),
    /// The device has no stream here.
    Absent(Offer<'a>),
    /// It is to be stored.
    Refused,
}

/// A wait for the acknowledgement.
struct Offer<'a> {
    waiting: Waiting<'a>,
    window: Duration,
    offered_at: Instant,
}

impl Delivery {
    /// Delivers the envelopes of one send. When it answers, each is acknowledged or durably stored,
    /// or its device is gone; an ephemeral one may be dropped instead.
    pub(crate) async fn send(
        &self,
        parcels: Vec<Parcel>,
        ephemeral: bool,
    ) -> Result<Vec<DeliveryState>, Failure> {
        let mut attempts: Vec<_> = parcels.iter().map(|parcel| self.offer_here(parcel)).collect();
        if attempts.iter().any(|attempt| matches!(attempt, Attempt::Absent(_))) {
            Box::pin(self.offer_elsewhere(&parcels, &mut attempts)).await;
        }
        let mut states = vec![DeliveryState::Delivered; parcels.len()];
        let (mut now, mut later, mut waits) = (Vec::new(), Vec::new(), Vec::new());
        for (place, attempt) in attempts.into_iter().enumerate() {
            if let Attempt::Offered(offer) = attempt {
                waits.push(self.wait(&parcels[place], offer));
                later.push(place);
            } else {
                now.push(place);
            }
        }
        let keep = async |places: &[usize]| -> Result<Vec<DeliveryState>, Failure> {
            if places.is_empty() {
                return Ok(Vec::new());
            }
            let kept = places.iter().map(|place| parcels[*place].clone()).collect();
            Box::pin(self.keep(kept, ephemeral)).await
        };
        let (stored, acknowledged) = futures::future::join(keep(&now), join_all(waits)).await;
        for (place, state) in now.into_iter().zip(stored?) {
            states[place] = state;
        }
        let mut acknowledged = acknowledged.into_iter();
        later.retain(|_| acknowledged.next() == Some(false));
        let stored = keep(&later).await?;
        for (place, state) in later.into_iter().zip(stored) {
            states[place] = state;
        }
        Ok(states)
    }

    /// Offers an envelope to the device's stream, if it has one here.
    fn offer_here(&self, parcel: &Parcel) -> Attempt<'_> {
        let node = &self.inner;
        let Some(window) = node.patience.window(parcel.to, node.env.now()) else {
            return Attempt::Refused;
        };
        let waiting = node.waiters.wait(parcel.envelope);
        let offer = Offer { waiting, window, offered_at: Instant::now() };
        match node.hub.get(parcel.to) {
            None => Attempt::Absent(offer),
            Some(connection) if connection.offer(parcel, Origin::Here) => Attempt::Offered(offer),
            Some(_) => Attempt::Refused,
        }
    }

    /// Offers the envelopes of devices without a stream here to the other nodes, all at once.
    async fn offer_elsewhere(&self, parcels: &[Parcel], attempts: &mut [Attempt<'_>]) {
        let absent: Vec<usize> = (0..parcels.len())
            .filter(|place| matches!(attempts[*place], Attempt::Absent(_)))
            .collect();
        let heard = join_all(absent.iter().map(|place| self.is_heard(&parcels[*place]))).await;
        for (place, is_heard) in absent.into_iter().zip(heard) {
            let attempt = &mut attempts[place];
            *attempt = match std::mem::replace(attempt, Attempt::Refused) {
                Attempt::Absent(offer) if is_heard => Attempt::Offered(offer),
                _ => Attempt::Refused,
            };
        }
    }

    async fn is_heard(&self, parcel: &Parcel) -> bool {
        let notice = Notice::Live { from_node: self.inner.id, parcel: parcel.clone() };
        // The count is a hint: none means that nobody listens, some that it is worth the wait.
        let receivers = self.publish(&device_channel(parcel.to), parcel.to, &notice).await;
        receivers.is_some_and(|receivers| receivers > 0)
    }

    /// Waits for the acknowledgement; `false` where it did not come in time.
    async fn wait(&self, parcel: &Parcel, offer: Offer<'_>) -> bool {
        let node = &self.inner;
        let Offer { waiting, window, offered_at } = offer;
        match waiting.answer(window).await {
            Some(Answer::Acknowledged) => {
                node.patience.acknowledged(parcel.to, offered_at.elapsed().min(window));
                true
            }
            Some(Answer::Refused) => false,
            None => {
                node.patience.missed(parcel.to, node.env.now());
                false
            }
        }
    }

    /// Stores envelopes durably, then tells their devices; drops them where they are ephemeral. What
    /// became of each, in order.
    async fn keep(
        &self,
        parcels: Vec<Parcel>,
        ephemeral: bool,
    ) -> Result<Vec<DeliveryState>, Failure> {
        if ephemeral {
            return Ok(vec![DeliveryState::Dropped; parcels.len()]);
        }
        self.inner.checkpoints.pass(Point::Undelivered).await;
        for parcel in &parcels {
            self.check_quota(parcel).await?;
        }
        let devices: Vec<DeviceKey> = parcels.iter().map(|parcel| parcel.to).collect();
        if let Some(states) = planted::answer_first(&self.inner.batcher, &parcels) {
            return Ok(states);
        }
        if planted::has(Bug::PublishBeforeCommit) {
            join_all(devices.iter().map(|device| self.tell_stored(*device))).await;
        }
        let inserted = self.inner.batcher.insert(parcels).await;
        if inserted.is_err() {
            // It may be stored all the same, where what failed came after the commit.
            join_all(devices.iter().map(|device| self.tell_stored(*device))).await;
        }
        let gone = inserted?;
        let is_untold = planted::has(Bug::PublishBeforeCommit) || planted::has(Bug::DropHint);
        self.inner.checkpoints.pass(Point::Committed).await;
        let mut states = Vec::with_capacity(devices.len());
        for device in devices {
            if gone.contains(&device) {
                states.push(DeliveryState::Revoked);
            } else {
                if !is_untold {
                    self.tell_stored(device).await;
                }
                states.push(DeliveryState::Stored);
            }
        }
        Ok(states)
    }

    /// After the commit: has the device's node look at the store.
    async fn tell_stored(&self, device: DeviceKey) {
        self.inner.hub.hint(device);
        if self.inner.hub.get(device).is_none() {
            self.publish(&device_channel(device), device, &Notice::Stored).await;
        }
    }

    async fn check_quota(&self, parcel: &Parcel) -> Result<(), Failure> {
        let node = &self.inner;
        let now = Instant::now();
        let mut tally = match node.quota.tally(parcel.to, now) {
            Some(tally) => tally,
            None => Tally::new(envelopes::queued(&node.db, parcel.to).await?, now),
        };
        if !tally.admit(parcel.bytes()) {
            return Err(Failure::new(
                Code::ResourceExhausted,
                ErrorReason::QueueFull,
                "a device of the recipient has its full quota of undelivered envelopes",
            )
            .with("device_id", parcel.to.1.to_string())
            .retry_after(Duration::from_mins(1)));
        }
        node.quota.keep(parcel.to, tally);
        Ok(())
    }
}
