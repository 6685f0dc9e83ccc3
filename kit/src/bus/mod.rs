//! The bus between nodes: transport and wake-up, never the truth. It may lose anything at any time
//! without breaking a promise. What it delivers was published by a node: where somebody else could,
//! frames are signed.

mod dropped;
mod local;
mod redis;
mod seal;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

pub use local::LocalBus;
pub use redis::RedisBus;

/// How long a call waits for the bus at most.
pub const TIMEOUT: Duration = Duration::from_millis(100);

/// What arrives from the bus.
#[derive(Debug, Clone)]
pub enum BusEvent {
    /// A message on a channel that this node subscribes to.
    Message {
        /// The channel.
        channel: String,
        /// The payload.
        payload: Bytes,
    },
    /// The connection was lost and is back: messages in between are gone.
    Reconnected,
}

/// The bus did not take it in time.
#[derive(Debug, thiserror::Error)]
#[error("the bus is out of reach: {0}")]
pub struct BusError(pub String);

/// Carries messages between nodes.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Publishes, and says how many subscribers took it: a hint, since a cluster counts one shard.
    /// Waits for [`TIMEOUT`] at most.
    async fn publish(&self, channel: &str, payload: Bytes) -> Result<usize, BusError>;

    /// Subscribes this node to a channel; the subscription outlives a lost connection, and a bus
    /// that is down takes it when it is back.
    async fn subscribe(&self, channel: &str) -> Result<(), BusError>;

    /// Ends a subscription.
    async fn unsubscribe(&self, channel: &str) -> Result<(), BusError>;

    /// Listens to everything that this node subscribes to.
    fn events(&self) -> broadcast::Receiver<BusEvent>;
}
