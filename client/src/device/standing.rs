//! What a device can know about why the service no longer takes it.

use plasma_proto::error::v1::ErrorReason;

use super::Device;
use crate::error::Error;
use crate::event::StopCause;
use crate::store::account_reset;

impl Device {
    /// Finds out why the service refuses this device. Fails where that cannot be known now.
    ///
    /// A refusal alone says nothing. This device's own verified account may: it lists the device or
    /// no longer does. So may another session: the service opens one for every device that it still
    /// lists.
    pub(crate) async fn cause_of_refusal(&self, refusal: Error) -> Result<StopCause, Error> {
        if self.own_account()?.device(self.address().device).is_none() {
            return Ok(StopCause::Removed);
        }
        self.inner.connection.forget_token().await;
        match self.inner.connection.open_session(&self.inner.keys).await {
            Ok(()) => Ok(StopCause::Refused(refusal)),
            Err(error) if error.reason() == Some(ErrorReason::Unauthenticated) => {
                let announced = self.inner.store.read(account_reset::load)?;
                let now = self.inner.env.now_micros();
                Ok(match announced.filter(|reset| reset.effective_micros <= now) {
                    Some(_) => StopCause::AccountReset,
                    None => StopCause::Unrecognised,
                })
            }
            Err(error) => Err(error),
        }
    }
}
