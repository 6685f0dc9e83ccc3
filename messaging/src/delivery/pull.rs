//! Receiving without a stream, for a device in the background.

use std::time::Duration;

use plasma_kit::Failure;
use plasma_proto::messaging::v1 as pb;

use super::parcel::DeviceKey;
use super::{Delivery, device_channel};
use crate::store::envelopes::{self, Portion};

/// Most bytes of one answer, within gRPC's 4 MiB.
const PULL_BYTES_MAX: usize = 3 * 1024 * 1024;

impl Delivery {
    /// Takes what is stored for a device, oldest first, and whether there is more. Waits for the
    /// first envelope up to `wait`.
    pub(crate) async fn pull(
        &self,
        device: DeviceKey,
        size: usize,
        wait: Duration,
    ) -> Result<(Vec<pb::Envelope>, bool), Failure> {
        let node = &self.inner;
        if wait.is_zero() {
            return self.take_stored(device, size).await;
        }
        let waiting = node.hub.start_pull(device);
        let guard = EndPull { delivery: self.clone(), device };
        // First the bus, then the store: whoever stores from now on finds a listener.
        if let Err(error) = node.bus.subscribe(&device_channel(device)).await {
            tracing::debug!(%error, "the bus is down; the sweep delivers");
        }
        let deadline = tokio::time::Instant::now() + wait;
        let taken = loop {
            let stored = waiting.notified();
            tokio::pin!(stored);
            stored.as_mut().enable();
            // What is queued is the answer however short the wait is.
            let taken = self.take_stored(device, size).await;
            if !matches!(&taken, Ok((envelopes, _)) if envelopes.is_empty()) {
                break taken;
            }
            tokio::select! {
                () = stored => {}
                () = node.draining.cancelled() => break taken,
                () = tokio::time::sleep_until(deadline) => break taken,
            }
        };
        drop(guard);
        taken
    }

    async fn take_stored(
        &self,
        device: DeviceKey,
        size: usize,
    ) -> Result<(Vec<pb::Envelope>, bool), Failure> {
        let node = &self.inner;
        // One envelope and one byte more than are taken say whether there is more.
        let portion = Portion { envelopes: size + 1, bytes: PULL_BYTES_MAX + 1 };
        // What is acknowledged and about to go takes no place of what is not.
        let mut buried = Vec::new();
        loop {
            let mut waiting = envelopes::waiting(&node.db, device, &buried, portion).await?;
            let mut more = waiting.len() > size;
            waiting.truncate(size);
            let (mut bytes, mut parcels) = (0, Vec::new());
            for parcel in waiting {
                if bytes > 0 && bytes + parcel.bytes() > PULL_BYTES_MAX {
                    more = true;
                    break;
                }
                bytes += parcel.bytes();
                if node.batcher.is_buried(parcel.envelope) {
                    buried.push(parcel.envelope);
                } else {
                    parcels.push(parcel);
                }
            }
            if !parcels.is_empty() || !more {
                let parcels = parcels.iter().map(|parcel| parcel.to_proto(&node.franking));
                return Ok((parcels.collect(), more));
            }
        }
    }
}

/// Ends the wait however the call ends: answered, timed out or cancelled by its caller.
struct EndPull {
    delivery: Delivery,
    device: DeviceKey,
}

impl Drop for EndPull {
    fn drop(&mut self) {
        let node = &self.delivery.inner;
        node.hub.end_pull(self.device);
        let (delivery, device) = (self.delivery.clone(), self.device);
        tokio::spawn(async move { delivery.stop_listening(device).await });
    }
}
