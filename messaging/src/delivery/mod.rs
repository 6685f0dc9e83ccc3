//! The way of an envelope from a sender to a device.
//!
//! An envelope is offered to the device's stream, here or on another node, and the send waits a
//! moment for the acknowledgement. What is not acknowledged in time is stored before the send is
//! answered. So an answer of OK means acknowledged or durably stored, and an envelope that is
//! acknowledged in time touches no store at all.
//!
//! - [`parcel`]: an envelope, and the frames between nodes.
//! - [`franking`]: the service's mark on what it delivers.
//! - [`connection`], [`hub`]: the streams of this node and what is in flight on them.
//! - [`send`]: offers, waits, stores. [`quota`]: how much may wait.
//! - [`acknowledge`]: the way back.
//! - [`stream`], [`pull`]: the two ways to receive. [`offered`]: what a stream need not read again.
//! - [`batcher`]: group commit. [`sweep`]: finds what a lost hint left behind.
//! - [`patience`]: how long a send waits.
//! - [`planted`]: bugs for the fault harness, in no shipped build.

mod acknowledge;
mod batcher;
mod checkpoint;
mod connection;
mod franking;
mod hub;
mod incoming;
mod offered;
mod parcel;
mod patience;
mod planted;
mod pull;
mod quota;
mod send;
mod stream;
mod sweep;
#[cfg(test)]
mod tests;
mod waiters;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use plasma_kit::bus::Bus;
use plasma_kit::events::Events;
use plasma_kit::secrets::Secrets;
use plasma_kit::{Db, Env, SystemDb};
use plasma_proto::messaging::v1::{Resume, ResumeReason, connect_response::Event};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) use connection::Connection;
pub(crate) use franking::Franking;
pub(crate) use parcel::{DeviceKey, Parcel, class};
pub use stream::EventStream;

use batcher::Batcher;
use checkpoint::Checkpoints;
use hub::Hub;
use parcel::Notice;
use patience::Patience;
use planted::Bug;
use quota::Quota;
use waiters::Waiters;

/// How long a stream may take to have room for the last word of a node that drains.
const LAST_WORD_MAX: Duration = Duration::from_secs(1);

/// Delivery on one node.
#[derive(Clone)]
pub struct Delivery {
    inner: Arc<Node>,
}

struct Node {
    id: Uuid,
    env: Env,
    db: SystemDb,
    bus: Arc<dyn Bus>,
    franking: Franking,
    hub: Hub,
    waiters: Waiters,
    patience: Patience,
    batcher: Batcher,
    quota: Quota,
    draining: CancellationToken,
    checkpoints: Checkpoints,
}

impl Delivery {
    /// Starts delivery on this node: listens on the bus and sweeps until `stop`.
    pub async fn start(
        db: &Db,
        env: Env,
        secrets: &Secrets,
        bus: Arc<dyn Bus>,
        events: &Events,
        stop: CancellationToken,
    ) -> Self {
        planted::warn();
        let delivery = Self::start_without_sweep(db, env, secrets, bus, events, stop.clone()).await;
        tokio::spawn(sweep::run(delivery.clone(), stop));
        delivery
    }

    async fn start_without_sweep(
        db: &Db,
        env: Env,
        secrets: &Secrets,
        bus: Arc<dyn Bus>,
        events: &Events,
        stop: CancellationToken,
    ) -> Self {
        let system = db.system();
        let node = Node {
            id: env.uuid(),
            batcher: Batcher::start(system.clone(), env.clone()),
            env,
            db: system,
            bus,
            franking: Franking::new(secrets),
            hub: Hub::default(),
            waiters: Waiters::default(),
            patience: Patience::default(),
            quota: Quota::new(),
            draining: CancellationToken::new(),
            checkpoints: Checkpoints::new(),
        };
        let delivery = Self { inner: Arc::new(node) };
        let received = delivery.inner.bus.events();
        if let Err(error) = delivery.inner.bus.subscribe(&node_channel(delivery.inner.id)).await {
            tracing::warn!(%error, "the bus is down; delivery between nodes goes by sweep");
        }
        tokio::spawn(incoming::listen(delivery.clone(), received, stop.clone()));
        tokio::spawn(incoming::end_revoked(delivery.clone(), events.listen(), stop));
        delivery
    }

    /// Tells every stream to resume elsewhere and takes no new one.
    pub async fn drain(&self) {
        self.inner.draining.cancel();
        if planted::has(Bug::ForgetDrain) {
            return;
        }
        let resume = Event::Resume(Resume { reason: ResumeReason::Drain.into() });
        let ends = self.inner.hub.select(|_| true).into_iter().map(|connection| {
            let resume = resume.clone();
            async move {
                // One that does not read must hold up neither the others nor the stop.
                let _ = tokio::time::timeout(LAST_WORD_MAX, connection.tell(resume)).await;
                connection.end(None);
            }
        });
        futures::future::join_all(ends).await;
    }

    /// The service's mark on what it delivers.
    pub(crate) fn franking(&self) -> &Franking {
        &self.inner.franking
    }

    /// Whether the node is being stopped: nobody is to wait here any longer.
    pub(crate) fn is_draining(&self) -> bool {
        self.inner.draining.is_cancelled()
    }

    async fn publish(&self, channel: &str, device: DeviceKey, notice: &Notice) -> Option<usize> {
        let frame: Bytes = parcel::encode(device, notice);
        match self.inner.bus.publish(channel, frame).await {
            Ok(receivers) => Some(receivers),
            Err(error) => {
                tracing::debug!(%error, "a frame was not published");
                None
            }
        }
    }
}

/// The channel on which a device's node hears of the device.
fn device_channel((tenant, device): DeviceKey) -> String {
    format!("plasma:device:{}:{}", tenant.0.as_simple(), device.0.as_simple())
}

/// The channel on which a node hears the answers to its sends.
fn node_channel(node: Uuid) -> String {
    format!("plasma:node:{}", node.as_simple())
}
