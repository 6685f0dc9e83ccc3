//! The bus of the embedded default: one process, or several nodes in one test process that share
//! an exchange.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::{Bus, BusError, BusEvent};
use crate::redis::CAPACITY;

type Exchange = Arc<Mutex<HashMap<String, HashSet<usize>>>>;

/// A node's end of an in-process bus.
#[derive(Debug, Clone)]
pub struct LocalBus {
    index: usize,
    exchange: Exchange,
    nodes: Arc<Mutex<Vec<broadcast::Sender<BusEvent>>>>,
    events: broadcast::Sender<BusEvent>,
}

impl Default for LocalBus {
    fn default() -> Self {
        let (events, _) = broadcast::channel(CAPACITY);
        Self {
            index: 0,
            exchange: Exchange::default(),
            nodes: Arc::new(Mutex::new(vec![events.clone()])),
            events,
        }
    }
}

impl LocalBus {
    /// Another node's end of the same bus.
    #[must_use]
    pub fn join(&self) -> Self {
        let (events, _) = broadcast::channel(CAPACITY);
        let mut nodes = self.nodes.lock();
        nodes.push(events.clone());
        Self {
            index: nodes.len() - 1,
            exchange: Arc::clone(&self.exchange),
            nodes: Arc::clone(&self.nodes),
            events,
        }
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, channel: &str, payload: Bytes) -> Result<usize, BusError> {
        let subscribers: Vec<usize> = match self.exchange.lock().get(channel) {
            Some(subscribers) => subscribers.iter().copied().collect(),
            None => return Ok(0),
        };
        let nodes = self.nodes.lock();
        for index in &subscribers {
            let message =
                BusEvent::Message { channel: channel.to_owned(), payload: payload.clone() };
            // A node without a listener has nothing to miss.
            let _ = nodes[*index].send(message);
        }
        Ok(subscribers.len())
    }

    async fn subscribe(&self, channel: &str) -> Result<(), BusError> {
        self.exchange.lock().entry(channel.to_owned()).or_default().insert(self.index);
        Ok(())
    }

    async fn unsubscribe(&self, channel: &str) -> Result<(), BusError> {
        let mut exchange = self.exchange.lock();
        if let Some(subscribers) = exchange.get_mut(channel) {
            subscribers.remove(&self.index);
            if subscribers.is_empty() {
                exchange.remove(channel);
            }
        }
        Ok(())
    }

    fn events(&self) -> broadcast::Receiver<BusEvent> {
        self.events.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Bus, BusEvent, LocalBus};

    #[tokio::test]
    async fn a_message_reaches_every_subscriber_and_nobody_else() {
        let one = LocalBus::default();
        let (two, three) = (one.join(), one.join());
        let (mut two_events, mut three_events) = (two.events(), three.events());
        two.subscribe("a").await.unwrap();
        assert_eq!(one.publish("a", Bytes::from_static(b"x")).await.unwrap(), 1);
        let BusEvent::Message { channel, .. } = two_events.recv().await.unwrap() else { panic!() };
        assert_eq!(channel, "a");
        assert!(three_events.try_recv().is_err());
        two.unsubscribe("a").await.unwrap();
        assert_eq!(one.publish("a", Bytes::from_static(b"x")).await.unwrap(), 0);
    }
}
