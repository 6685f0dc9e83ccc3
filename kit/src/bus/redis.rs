//! The bus of any number of nodes: Redis 7 sharded pub/sub, so that a cluster works as well.
//!
//! While Redis is out of reach a publish fails at once instead of waiting: after one failure the
//! bus counts as down for a moment, and each call costs nothing.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::prelude::{Client, Error};
use fred::util::group_by_hash_slot;
use tokio::sync::broadcast;

use super::{Bus, BusError, BusEvent, TIMEOUT};
use crate::redis::{self, CAPACITY, Respite};

/// How long a subscription waits: nobody waits for it who has not opened a stream.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(2);

/// A node's end of a Redis bus.
pub struct RedisBus {
    publisher: Client,
    subscriber: SubscriberClient,
    events: broadcast::Sender<BusEvent>,
    respite: Respite,
}

impl std::fmt::Debug for RedisBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisBus")
    }
}

impl RedisBus {
    /// Connects, in the background for ever: a Redis that is down at the start is met later.
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let publisher = redis::builder(url, TIMEOUT)?.build()?;
        let subscriber = redis::builder(url, SUBSCRIBE_TIMEOUT)?.build_subscriber_client()?;
        let (events, _) = broadcast::channel(CAPACITY);
        let bus = Self { publisher, subscriber, events, respite: Respite::default() };
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
        self.respite.check().map_err(|error| BusError(error.to_string()))?;
        self.publisher.spublish(channel, payload).await.map_err(|error| {
            self.respite.begin();
            BusError(error.to_string())
        })
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
