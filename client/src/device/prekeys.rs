//! Keeps the service supplied with prekeys: kept before they are shown, the same on every attempt.

use plasma_e2ee::{
    ONE_TIME_EC_PREKEYS, ONE_TIME_KEM_PREKEYS, PREKEY_ROTATION_SECONDS, PrivatePrekey,
};
use plasma_identity::{MAX_LATENCY_SECONDS, PrekeyRole};
use plasma_proto::messaging::v1 as pb;
use plasma_proto::messaging::v1::key_service_client::KeyServiceClient;
use rusqlite::Transaction;
use tonic::transport::Channel;

use super::Device;
use crate::error::Error;
use crate::store::prekeys;

/// One-time keys left at the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Left {
    ec: u32,
    kem: u32,
}

impl Device {
    /// Tops up the one-time prekeys at the service when fewer than a fifth are left, replaces the
    /// signed and the last-resort one weekly, and deletes private halves whose time is over.
    pub async fn publish_prekeys(&self) -> Result<(), Error> {
        let _one_at_a_time = self.inner.publishing.lock().await;
        let operation = |channel: Channel, request| async move {
            KeyServiceClient::new(channel).count_prekeys(request).await
        };
        let counts = self.call(pb::CountPrekeysRequest {}, operation).await?;
        let left = Left { ec: counts.one_time_prekey_count, kem: counts.one_time_kem_prekey_count };
        // A full set takes a tenth of a second to make.
        let device = self.clone();
        let made = move || device.inner.store.write(|tx| device.make_missing(tx, left));
        tokio::task::spawn_blocking(made).await.map_err(|_| Error::Interrupted)??;
        self.upload().await?;
        let renewing =
            self.inner.store.read(|db| prekeys::renewed_from(db, PrekeyRole::SignedEc))?;
        if renewing.is_some() { self.drain_old_prekeys().await } else { Ok(()) }
    }

    fn make_missing(&self, tx: &Transaction<'_>, left: Left) -> Result<(), Error> {
        let now = self.inner.env.now_seconds();
        let wanted = [
            (PrekeyRole::OneTimeEc, left.ec, ONE_TIME_EC_PREKEYS),
            (PrekeyRole::OneTimeKem, left.kem, ONE_TIME_KEM_PREKEYS),
        ];
        for (role, left, full) in wanted {
            // What an attempt before has made and not shown goes up first.
            if prekeys::must_renew(tx, role)? {
                self.make(tx, role, full, now)?;
            } else if left < full / 5 && prekeys::unpublished(tx, role)?.is_empty() {
                self.make(tx, role, full - left, now)?;
            }
        }
        for role in [PrekeyRole::SignedEc, PrekeyRole::LastResortKem] {
            let newest = prekeys::newest(tx, role)?.unwrap_or(0);
            let due = newest.saturating_add(PREKEY_ROTATION_SECONDS) <= now;
            if due || prekeys::must_renew(tx, role)? {
                self.make(tx, role, 1, now)?;
            }
        }
        prekeys::delete_replaced_before(tx, now.saturating_sub(MAX_LATENCY_SECONDS))?;
        Ok(())
    }

    fn make(
        &self,
        tx: &Transaction<'_>,
        role: PrekeyRole,
        count: u32,
        now: u64,
    ) -> Result<(), Error> {
        let first = prekeys::reserve_ids(tx, role, count)?;
        for id in first..first + count {
            let rng = &mut self.inner.env.rng();
            let prekey = PrivatePrekey::generate(&self.inner.keys, role, id, now, rng);
            prekeys::insert(tx, &prekey, now)?;
        }
        Ok(())
    }

    async fn upload(&self) -> Result<(), Error> {
        let list = |role| self.inner.store.read(|db| prekeys::unpublished(db, role));
        let signed = list(PrekeyRole::SignedEc)?.pop();
        let last_resort = list(PrekeyRole::LastResortKem)?.pop();
        let (ec, kem) = (list(PrekeyRole::OneTimeEc)?, list(PrekeyRole::OneTimeKem)?);
        if signed.is_none() && last_resort.is_none() && ec.is_empty() && kem.is_empty() {
            return Ok(());
        }
        let public = |prekey: &PrivatePrekey| prekey.public().to_bytes().into();
        let request = pb::PublishPrekeysRequest {
            signed_prekey: signed.as_ref().map(public).unwrap_or_default(),
            last_resort_kem_prekey: last_resort.as_ref().map(public).unwrap_or_default(),
            one_time_prekeys: ec.iter().map(public).collect(),
            one_time_kem_prekeys: kem.iter().map(public).collect(),
        };
        let operation = |channel: Channel, request| async move {
            KeyServiceClient::new(channel).publish_prekeys(request).await
        };
        self.call(request, operation).await?;
        let now = self.inner.env.now_seconds();
        self.inner.store.write(|tx| {
            for newest in signed.iter().chain(&last_resort) {
                prekeys::mark_replaced(tx, newest.role(), newest.id(), now)?;
            }
            for shown in [&ec, &kem] {
                prekeys::mark_published(tx, shown)?;
            }
            prekeys::mark_published(tx, &signed.into_iter().chain(last_resort).collect::<Vec<_>>())
        })?;
        Ok(())
    }
}
