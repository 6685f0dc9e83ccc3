//! The bus of any number of nodes: Redis 7 sharded pub/sub, so that a cluster works as well.
//!
//! Redis carries frames and is not believed: each is signed by the node that publishes it, and what
//! does not verify is dropped ([`Seal`]).
//!
//! While Redis is out of reach a publish fails at once instead of waiting: after one failure the
//! bus counts as down for a moment, and each call costs nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::prelude::{Client, Error};
use fred::types::Message;
use fred::util::group_by_hash_slot;
use futures::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

use super::dropped::Dropped;
use super::seal::Seal;
use super::{Bus, BusError, BusEvent, TIMEOUT};
use crate::env::Env;
use crate::redis::{self, CAPACITY, Respite};
use crate::secrets::Secrets;

/// How long a subscription waits: nobody waits for it who has not opened a stream.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long until subscriptions that were not renewed are tried again.
const RENEWAL_RETRY: Duration = Duration::from_secs(1);
/// Renewals under way at a time.
const RENEWALS: usize = 64;

/// A node's end of a Redis bus.
pub struct RedisBus {
    publisher: Client,
    subscriber: SubscriberClient,
    events: broadcast::Sender<BusEvent>,
    respite: Respite,
    wanted: Wanted,
    seal: Seal,
}

/// The channels that are to be listened to, whether Redis has heard of it or not.
type Wanted = Arc<Mutex<BTreeSet<String>>>;

impl std::fmt::Debug for RedisBus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisBus")
    }
}

impl RedisBus {
    /// Connects, in the background for ever: a Redis that is down at the start is met later. Nodes
    /// hear each other that have a master key in common and clocks that agree to a minute.
    pub async fn connect(url: &str, env: Env, secrets: &Secrets) -> Result<Self, Error> {
        let publisher = redis::builder(url, TIMEOUT)?.build()?;
        let subscriber = redis::builder(url, SUBSCRIBE_TIMEOUT)?.build_subscriber_client()?;
        let (events, _) = broadcast::channel(CAPACITY);
        let bus = Self {
            publisher,
            subscriber,
            events,
            respite: Respite::default(),
            wanted: Wanted::default(),
            seal: Seal::new(env, secrets),
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
        let (subscriber, wanted) = (self.subscriber.clone(), Arc::clone(&self.wanted));
        let seal = self.seal.clone();
        tokio::spawn(async move {
            let mut dropped = Dropped::default();
            let mut renewal: Option<JoinHandle<()>> = None;
            loop {
                let event = tokio::select! {
                    message = messages.recv() => match message {
                        Ok(message) => match open(&seal, &mut dropped, message) {
                            Some(event) => event,
                            None => continue,
                        },
                        Err(broadcast::error::RecvError::Lagged(_)) => BusEvent::Reconnected,
                        Err(broadcast::error::RecvError::Closed) => return,
                    },
                    reconnect = reconnects.recv() => match reconnect {
                        Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {
                            let wanted = Arc::clone(&wanted);
                            let again = subscribe_again(subscriber.clone(), wanted, events.clone());
                            // One for an older connection is of no use any more.
                            if let Some(older) = renewal.replace(tokio::spawn(again)) {
                                older.abort();
                            }
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

/// What a frame says, if a node wrote it.
fn open(seal: &Seal, dropped: &mut Dropped, message: Message) -> Option<BusEvent> {
    let frame = message.value.into_bytes().unwrap_or_default();
    match seal.open(&message.channel, &frame) {
        Ok(payload) => Some(BusEvent::Message { channel: message.channel.to_string(), payload }),
        Err(why) => {
            dropped.count(why, &message.channel);
            None
        }
    }
}

/// Subscribes a new connection to every channel that is wanted, until it is. What `fred` does by
/// itself begins with channels and patterns of other kinds, of which there are none, fails on the
/// empty list, and never comes to these; nor does it know of those that it failed to subscribe to.
async fn subscribe_again(
    subscriber: SubscriberClient,
    wanted: Wanted,
    events: broadcast::Sender<BusEvent>,
) {
    loop {
        let channels: Vec<String> = wanted.lock().iter().cloned().collect();
        match subscribe_all(&subscriber, channels).await {
            Ok(()) => break,
            Err(error) => tracing::warn!(%error, "subscriptions were not renewed; trying again"),
        }
        tokio::time::sleep(RENEWAL_RETRY).await;
    }
    // What was published before the last of them took effect is gone.
    let _ = events.send(BusEvent::Reconnected);
}

async fn subscribe_all(subscriber: &SubscriberClient, channels: Vec<String>) -> Result<(), Error> {
    let slots = group_by_hash_slot(channels)?;
    let renewals = slots.into_values().map(|channels| subscriber.ssubscribe(Vec::from(channels)));
    stream::iter(renewals).buffer_unordered(RENEWALS).try_collect().await
}

#[async_trait]
impl Bus for RedisBus {
    async fn publish(&self, channel: &str, payload: Bytes) -> Result<usize, BusError> {
        self.respite.check().map_err(|error| BusError(error.to_string()))?;
        let frame = self.seal.seal(channel, &payload);
        self.publisher.spublish(channel, frame).await.map_err(|error| {
            self.respite.begin();
            BusError(error.to_string())
        })
    }

    async fn subscribe(&self, channel: &str) -> Result<(), BusError> {
        self.wanted.lock().insert(channel.to_owned());
        self.subscriber.ssubscribe(channel).await.map_err(|error| BusError(error.to_string()))
    }

    async fn unsubscribe(&self, channel: &str) -> Result<(), BusError> {
        self.wanted.lock().remove(channel);
        self.subscriber.sunsubscribe(channel).await.map_err(|error| BusError(error.to_string()))
    }

    fn events(&self) -> broadcast::Receiver<BusEvent> {
        self.events.subscribe()
    }
}
