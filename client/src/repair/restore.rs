//! A device whose memory was put back from a backup starts anew with everybody.

use plasma_identity::SignedPrekey;
use plasma_proto::error::v1::ErrorReason;
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::key_service_client::KeyServiceClient;
use tonic::transport::Channel;

use crate::device::Device;
use crate::error::Error;
use crate::id;
use crate::store::{prekeys, sessions};
use crate::wire;

/// Ids left out, so that none of those that were used after the backup comes a second time.
const IDS_SKIPPED: u32 = 1_000_000;
/// Most one-time keys of a kind that the service keeps for a device.
const KEYS_AT_THE_SERVICE: u32 = 200;

impl Device {
    /// To be called once after the store was put back from a backup, a copy of the device's
    /// storage or a snapshot of its machine, before anything is sent or received.
    ///
    /// The sessions in it are of another time: the peers have gone on. Each is archived, so that
    /// the next message to each device starts a new one, and all prekeys are replaced, because the
    /// service may have handed out some that the backup does not know. What others sent meanwhile
    /// on sessions or keys that are lost is asked for again by itself. A device that was put back
    /// without this call loses nothing either, but what it sends first is refused as sent twice
    /// and takes the longer way of a retry request. Two copies of a device that both go on are
    /// not one device: link the second one instead.
    pub fn after_restore(&self) -> Result<(), Error> {
        self.inner.store.write(|tx| {
            sessions::archive_all(tx)?;
            Ok(prekeys::renew(tx, IDS_SKIPPED)?)
        })
    }

    /// Takes this device's own one-time keys off the service until only those are left that were
    /// made after [`Device::after_restore`]. The service bounds how fast: the rest follows later.
    pub(crate) async fn drain_old_prekeys(&self) -> Result<(), Error> {
        for _ in 0..KEYS_AT_THE_SERVICE {
            let request = pb::TakePrekeyBundlesRequest {
                user: Some(wire::user(self.user())),
                device_ids: vec![id::format("device", self.address().device)],
            };
            let operation = |channel: Channel, request| async move {
                KeyServiceClient::new(channel).take_prekey_bundles(request).await
            };
            let answer = match self.call(request, operation).await {
                Ok(answer) => answer,
                Err(error) if error.reason() == Some(ErrorReason::RateLimited) => return Ok(()),
                Err(error) => return Err(error),
            };
            let bundle = answer.bundles.first().ok_or(Error::Answer("bundles"))?;
            if self.is_renewed(bundle)? {
                return Ok(self.inner.store.write(|tx| prekeys::mark_renewed(tx))?);
            }
        }
        Ok(())
    }

    /// Tells whether the service hands out new keys only, oldest first as it does.
    fn is_renewed(&self, bundle: &pb::PrekeyBundle) -> Result<bool, Error> {
        let mut keys = vec![&bundle.kem_prekey];
        keys.extend(Some(&bundle.one_time_prekey).filter(|key| !key.is_empty()));
        self.inner.store.read(|db| {
            for key in keys {
                let key = SignedPrekey::from_bytes(key).map_err(|_| Error::Answer("bundles"))?;
                if prekeys::renewed_from(db, key.role())?.is_some_and(|first| key.id() < first) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }
}
