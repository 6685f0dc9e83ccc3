//! What a connected device does by itself so that its account stays good: it follows its own list
//! of devices, renews the list in time, and forgets sessions whose time is over.

use std::time::Duration;

use plasma_identity::{
    DeviceCertificate, MANIFEST_LIFETIME_SECONDS, MAX_LATENCY_SECONDS, VerifiedAccount,
};

use super::Device;
use super::manifests::Change;
use crate::error::Error;
use crate::store::{accounts, sessions};

const INTERVAL: Duration = Duration::from_hours(1);

impl Device {
    /// Follows this user's own account, renews its manifest when less than half of its life is
    /// left, and deletes sessions with devices that were removed 45 days ago, and contents whose time
    /// is over.
    pub(crate) async fn maintain(&self) -> Result<(), Error> {
        self.forget_old_contents()?;
        self.refresh_account(self.user()).await?;
        let own = self.own_account()?;
        if self.should_renew(&own) {
            self.change_account(&Change::Renew).await?;
        }
        self.forget_stale_sessions()
    }

    /// Maintains every hour, for as long as it is awaited.
    pub(crate) async fn maintain_hourly(&self) {
        loop {
            tokio::time::sleep(self.inner.env.jittered(INTERVAL)).await;
            if let Err(error) = self.maintain().await {
                tracing::info!(%error, "the account was not maintained");
            }
        }
    }

    fn should_renew(&self, own: &VerifiedAccount) -> bool {
        let now = self.inner.env.now_seconds();
        let this = own.device(self.address().device);
        let may = this.is_some_and(DeviceCertificate::may_approve);
        may && own.expires().saturating_sub(now) < MANIFEST_LIFETIME_SECONDS / 2
    }

    pub(super) fn forget_stale_sessions(&self) -> Result<(), Error> {
        let now = self.inner.env.now_seconds();
        let deleted = self.inner.store.write(|tx| {
            for user in accounts::users(tx)? {
                if let Some(known) = accounts::load(tx, user)? {
                    sessions::mark_stale(tx, &known.account, now)?;
                }
            }
            sessions::delete_stale_before(tx, now.saturating_sub(MAX_LATENCY_SECONDS))
        })?;
        if deleted > 0 {
            tracing::debug!(deleted, "sessions with removed devices are over");
        }
        Ok(())
    }
}
