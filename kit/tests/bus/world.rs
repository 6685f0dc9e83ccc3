//! Nodes with the master keys that a test gives them, and somebody who reaches their Redis.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fred::clients::SubscriberClient;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::prelude::{Builder, Client, Config};
use plasma_kit::Env;
use plasma_kit::bus::{Bus, BusEvent, RedisBus};
use plasma_kit::secrets::Secrets;
use plasma_testkit::servers::RedisServer;
use tokio::sync::broadcast::Receiver;

const PATIENCE: Duration = Duration::from_secs(20);

/// A Redis server that tests share, and channels that this test has for itself.
pub struct World {
    server: Arc<RedisServer>,
    name: String,
}

impl World {
    pub fn new() -> Self {
        let name = Env::system().uuid().to_string();
        Self { server: RedisServer::shared().unwrap(), name }
    }

    /// A channel of this test alone.
    pub fn channel(&self, name: &str) -> String {
        format!("test:{}:{name}", self.name)
    }

    /// A node with these master keys, newest first.
    pub async fn node(&self, env: Env, ring: &[u8]) -> RedisBus {
        let ring = ring.iter().map(|key| [*key; 32]).collect();
        let secrets = Secrets::new(ring).unwrap();
        RedisBus::connect(self.server.url(), env, &secrets).await.unwrap()
    }

    /// Somebody with a client of Redis and no master key.
    pub async fn stranger(&self) -> Client {
        let client = self.builder().build().unwrap();
        client.init().await.unwrap();
        client
    }

    /// Somebody who reads along.
    pub async fn reader(&self, channel: &str) -> Reader {
        let client = self.builder().build_subscriber_client().unwrap();
        client.init().await.unwrap();
        let messages = client.message_rx();
        client.ssubscribe(channel).await.unwrap();
        Reader { _client: client, messages }
    }

    fn builder(&self) -> Builder {
        Builder::from_config(Config::from_url(self.server.url()).unwrap())
    }
}

/// Hears frames as they pass.
pub struct Reader {
    _client: SubscriberClient,
    messages: Receiver<fred::types::Message>,
}

impl Reader {
    pub async fn next(&mut self) -> Bytes {
        let message = tokio::time::timeout(PATIENCE, self.messages.recv()).await.unwrap();
        message.unwrap().value.into_bytes().unwrap()
    }
}

/// What a node hears, up to a frame that says `last`: channels and payloads, each once.
pub async fn heard_until(events: &mut Receiver<BusEvent>, last: &str) -> Vec<(String, Bytes)> {
    let mut heard = Vec::new();
    loop {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await;
        let event = event.unwrap_or_else(|_| panic!("{last} did not come after {heard:?}"));
        let BusEvent::Message { channel, payload } = event.unwrap() else { continue };
        if payload == last.as_bytes() {
            return heard;
        }
        if !heard.contains(&(channel.clone(), payload.clone())) {
            heard.push((channel, payload));
        }
    }
}

/// Publishes as a node does; Redis has handed it to every subscriber when this returns. On a busy
/// machine a publish may fail for its time, and arrive all the same.
pub async fn publish(node: &RedisBus, channel: &str, payload: &'static str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match node.publish(channel, Bytes::from_static(payload.as_bytes())).await {
            Ok(receivers) => return assert!(receivers > 0, "{payload} reached nobody"),
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
