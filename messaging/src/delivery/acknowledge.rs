//! The way back: a device has processed envelopes.

use plasma_kit::ids::EnvelopeId;
use plasma_kit::{Failure, StoreError};

use super::connection::Origin;
use super::parcel::{DeviceKey, Notice};
use super::waiters::Answer;
use super::{Delivery, device_channel, node_channel};

impl Delivery {
    /// Takes a device's acknowledgements. When it answers, nothing of the envelopes is stored that
    /// this node could know of.
    pub(crate) async fn acknowledge(
        &self,
        device: DeviceKey,
        envelopes: Vec<EnvelopeId>,
    ) -> Result<(), Failure> {
        let node = &self.inner;
        node.patience.awake(device);
        let connection = node.hub.get(device);
        let mut stored = Vec::new();
        for envelope in envelopes {
            let origin = connection.as_ref().and_then(|stream| stream.origin(envelope));
            let settled = match origin {
                Some(Origin::Stored) => false,
                Some(Origin::Here) => node.waiters.answer(envelope, Answer::Acknowledged),
                Some(Origin::Node(from)) => Box::pin(self.tell_node(from, device, envelope)).await,
                // Not in flight here: pulled, offered twice, or on a stream of another node.
                None if connection.is_some() => false,
                None => Box::pin(self.tell_stream(device, envelope)).await,
            };
            if !settled {
                // Out of flight and not yet deleted, the store would offer it again.
                node.batcher.bury(envelope);
                stored.push((device, envelope));
            }
            if let Some(stream) = &connection {
                stream.acknowledge(envelope);
            }
        }
        if !stored.is_empty() {
            Box::pin(node.batcher.delete(stored)).await?;
        }
        Ok(())
    }

    /// Tells the node whose send waits; `false` where it may not have heard.
    async fn tell_node(&self, from: uuid::Uuid, device: DeviceKey, envelope: EnvelopeId) -> bool {
        let notice = Notice::Acknowledged(envelope);
        let heard = self.publish(&node_channel(from), device, &notice).await;
        heard.is_some_and(|receivers| receivers > 0)
    }

    /// Tells the node on which the device's stream is. The store is looked at all the same: the
    /// envelope may have been pulled.
    async fn tell_stream(&self, device: DeviceKey, envelope: EnvelopeId) -> bool {
        self.publish(&device_channel(device), device, &Notice::Acknowledged(envelope)).await;
        false
    }

    /// A device's node tells that the device acknowledged an envelope of a send of this node, or
    /// another node tells that the device acknowledged through it.
    pub(super) async fn acknowledged_elsewhere(
        &self,
        device: DeviceKey,
        envelope: EnvelopeId,
    ) -> Result<(), StoreError> {
        let node = &self.inner;
        node.patience.awake(device);
        if node.waiters.answer(envelope, Answer::Acknowledged) {
            return Ok(());
        }
        let connection = node.hub.get(device);
        let origin = connection.as_ref().and_then(|stream| stream.origin(envelope));
        let settled = match origin {
            Some(Origin::Node(from)) if from != node.id => {
                self.tell_node(from, device, envelope).await
            }
            // The send gave up and has stored the envelope, or is about to.
            _ => false,
        };
        if !settled {
            node.batcher.bury(envelope);
        }
        if let Some(stream) = connection {
            stream.acknowledge(envelope);
        }
        if settled { Ok(()) } else { node.batcher.delete(vec![(device, envelope)]).await }
    }
}
