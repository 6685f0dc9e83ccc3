//! The bus of any number of nodes: Redis 7 sharded pub/sub, so that a cluster works as well.
//!
//! While Redis is out of reach a publish fails at once instead of waiting: after one failure the
//! bus counts as down for a moment, and each call costs nothing.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::prelude::{Builder, Client, Config, Error, ReconnectPolicy};
use fred::util::group_by_hash_slot;
use tokio::sync::broadcast;

use super::{Bus, BusError, BusEvent, CAPACITY, TIMEOUT};

/// How long a bus that failed is left alone.
const DOWN_FOR: Duration = Duration::from_millis(500);

/// A node's end of a Redis bus.
pub struct RedisBus {
    publisher: Client,
    subscriber: SubscriberClient,
    events: broadcast::Sender<BusEvent>,
    started: Instant,
    down_until_micros: AtomicI64,
}

impl std::fmt::Debug for RedisBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisBus")
    }
}

impl RedisBus {
    /// Connects, in the background for ever: a Redis that is down at the start is met later.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let mut builder = Builder::from_config(Config::from_url(url)?);
        builder
            .with_connection_config(|connection| {
                connection.connection_timeout = Duration::from_secs(2);
                connection.internal_command_timeout = Duration::from_secs(2);
                connection.max_command_attempts = 1;
                connection.max_command_buffer_len = CAPACITY;
                connection.unresponsive.max_timeout = Some(Duration::from_secs(2));
                connection.unresponsive.interval = Duration::from_millis(500);
            })
            .with_performance_config(|performance| {
                performance.default_command_timeout = TIMEOUT;
                performance.broadcast_channel_capacity = CAPACITY;
            })
            .set_policy(ReconnectPolicy::new_exponential(0, 100, 1_000, 2));
        let publisher = builder.build()?;
        let mut patient = builder.clone();
        patient.with_performance_config(|performance| {
            performance.default_command_timeout = Duration::from_secs(2);
        });
        let subscriber = patient.build_subscriber_client()?;
        let (events, _) = broadcast::channel(CAPACITY);
        let bus = Self {
            publisher,
            subscriber,
            events,
            started: Instant::now(),
            down_until_micros: AtomicI64::new(0),
        };
        bus.listen();
        bus.publisher.connect();
        bus.subscriber.connect();
        let both = async {
            bus.publisher.wait_for_connect().await?;
            bus.subscriber.wait_for_connect().await
        };
        if tokio::time::timeout(Duration::from_secs(2), both).await.is_err() {
            tracing::warn!("Redis is out of reach; delivery goes by sweep until it is back");
        }
        Ok(bus)
    }

    fn listen(&self) {
        let mut messages = self.subscriber.message_rx();
        let mut reconnects = self.subscriber.reconnect_rx();
        let events = self.events.clone();
        let subscriber = self.subscriber.clone();
        tokio::spawn(async move {
            loop {
                let event = tokio::select! {
                    message = messages.recv() => match message {
                        Ok(message) => BusEvent::Message {
                            channel: message.channel.to_string(),
                            payload: message.value.into_bytes().unwrap_or_default(),
                        },
                        Err(broadcast::error::RecvError::Lagged(_)) => BusEvent::Reconnected,
                        Err(broadcast::error::RecvError::Closed) => return,
                    },
                    reconnect = reconnects.recv() => match reconnect {
                        Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {
                            tokio::spawn(subscribe_again(subscriber.clone(), events.clone()));
                            BusEvent::Reconnected
                        }
                        Err(broadcast::error::RecvError::Closed) => return,
                    },
                };
                let _ = events.send(event);
            }
        });
    }

    fn now(&self) -> i64 {
        crate::env::micros(self.started.elapsed())
    }

    fn failed(&self, error: &Error) -> BusError {
        let until = self.now() + crate::env::micros(DOWN_FOR);
        self.down_until_micros.store(until, Ordering::Relaxed);
        BusError(error.to_string())
    }
}

/// Subscribes a new connection to every channel of the old. What `fred` does by itself begins with
/// channels and patterns of other kinds, of which there are none, fails on the empty list, and never
/// comes to these.
async fn subscribe_again(subscriber: SubscriberClient, events: broadcast::Sender<BusEvent>) {
    let channels = subscriber.tracked_shard_channels();
    let slots = match group_by_hash_slot(channels) {
        Ok(slots) => slots,
        Err(error) => {
            tracing::error!(%error, "subscriptions are lost until their devices connect again");
            return;
        }
    };
    for channels in slots.into_values() {
        if let Err(error) = subscriber.ssubscribe(Vec::from(channels)).await {
            // The connection is lost again, and another reconnect follows.
            tracing::warn!(%error, "a subscription was not renewed");
            return;
        }
    }
    // What was published before the last of them took effect is gone.
    let _ = events.send(BusEvent::Reconnected);
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, channel: &str, payload: Bytes) -> Result<usize, BusError> {
        if self.now() < self.down_until_micros.load(Ordering::Relaxed) {
            return Err(BusError("left alone after a failure".to_owned()));
        }
        self.publisher.spublish(channel, payload).await.map_err(|error| self.failed(&error))
    }

    async fn subscribe(&self, channel: &str) -> Result<(), BusError> {
        self.subscriber.ssubscribe(channel).await.map_err(|error| BusError(error.to_string()))
    }

    async fn unsubscribe(&self, channel: &str) -> Result<(), BusError> {
        self.subscriber.sunsubscribe(channel).await.map_err(|error| BusError(error.to_string()))
    }

    fn events(&self) -> broadcast::Receiver<BusEvent> {
        self.events.subscribe()
    }
}
