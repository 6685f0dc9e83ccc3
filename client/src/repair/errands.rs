//! What a device does in the background after it has received: one errand at a time, and never
//! in the way of the next envelope.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::device::Device;
use crate::error::Error;
use crate::store::control;

/// How often a connected device looks whether a control message has become due.
const LOOK_INTERVAL: Duration = Duration::from_mins(1);
/// How long the outbox waits where the service asks to slow down and does not say for how long.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// How often a connected device looks after its prekeys even where none was used.
const PREKEY_INTERVAL: Duration = Duration::from_hours(1);

/// What is to be done, and whether somebody is about to do it.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    started: AtomicBool,
    prekeys_used: AtomicBool,
    /// Whether somebody waits to send the outbox again.
    flush_waits: AtomicBool,
}

impl Errands {
    /// Notes that one-time prekeys were used, so that there may be too few left.
    pub(crate) fn note_used_prekeys(&self) {
        self.prekeys_used.store(true, Ordering::Relaxed);
    }
}

impl Device {
    /// Sends what is due and replaces prekeys that were used, in a task of its own.
    ///
    /// Called after an acknowledgement: a message that is sent again must not meet, at the
    /// service, the envelope of it that could not be opened.
    pub(crate) fn run_errands(&self) {
        let errands = &self.inner.errands;
        if errands.started.swap(true, Ordering::AcqRel) {
            return;
        }
        let device = self.clone();
        tokio::spawn(async move {
            // From here on what comes up starts another one.
            device.inner.errands.started.store(false, Ordering::Release);
            if let Err(error) = device.errands().await {
                tracing::info!(%error, "an errand waits");
            }
        });
    }

    /// Sends the outbox again when the service has said that it will take more. Where it was out of
    /// reach instead, the outbox goes when the device is connected again.
    pub(crate) fn flush_later(&self, error: &Error) {
        let waits = &self.inner.errands.flush_waits;
        if !error.is_rate_limited() || waits.swap(true, Ordering::AcqRel) {
            return;
        }
        let device = Arc::downgrade(&self.inner);
        let delay = error.retry_after().unwrap_or(SLOW_DOWN).min(LOOK_INTERVAL);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let Some(inner) = device.upgrade() else { return };
            inner.errands.flush_waits.store(false, Ordering::Release);
            (Self { inner }).flush_or_wait().await;
        });
    }

    /// Sends the outbox again now, after something was bought that it may have waited for.
    pub(crate) fn flush_in_background(&self) {
        let device = self.clone();
        tokio::spawn(async move { device.flush_or_wait().await });
    }

    async fn flush_or_wait(&self) {
        if let Err(error) = self.flush_outbox().await {
            tracing::info!(%error, "the outbox waits");
        }
    }

    async fn errands(&self) -> Result<(), Error> {
        if self.has_due_control()? {
            self.deliver_controls().await?;
        }
        if self.inner.errands.prekeys_used.swap(false, Ordering::Relaxed)
            && let Err(error) = self.publish_prekeys().await
        {
            self.inner.errands.note_used_prekeys();
            return Err(error);
        }
        Ok(())
    }

    fn has_due_control(&self) -> Result<bool, Error> {
        let now = self.inner.env.now_seconds();
        Ok(self.inner.store.read(control::earliest)?.is_some_and(|due| due <= now))
    }

    /// Looks after repairs and prekeys for as long as it is awaited.
    pub(crate) async fn look_after(&self) {
        let mut prekeys = Instant::now();
        loop {
            tokio::time::sleep(self.inner.env.jittered(LOOK_INTERVAL)).await;
            if prekeys.elapsed() >= PREKEY_INTERVAL {
                prekeys = Instant::now();
                self.inner.errands.note_used_prekeys();
            }
            if let Err(error) = self.errands().await {
                tracing::info!(%error, "an errand waits");
            }
        }
    }
}
