//! Takes a sale back whose reserve the provider declined to capture: the charge is given back in every
//! book that it stands in, and the access that it was for ends.

use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::env::Timestamp;
use plasma_kit::events::Event;
use plasma_kit::ids::ChatId;

use crate::Billing;
use crate::domain::external::{Bought, Operation};
use crate::error::Error;
use crate::refund;
use crate::store::charges;

/// What an operation that was captured has bought.
pub(super) fn bought(operation: &Operation) -> Result<Bought, StoreError> {
    operation.bought.ok_or_else(|| {
        StoreError::Inconsistent(format!("{} was captured for nothing", operation.id))
    })
}

impl Billing {
    /// Takes back what an operation was to pay, in the transaction, of the charge's tenant, that keeps
    /// the provider's answer. Gives the chat.
    pub(super) async fn undo(
        &self,
        tx: &TenantTx,
        operation: &Operation,
        now: Timestamp,
    ) -> Result<ChatId, Error> {
        let charge = charges::get(tx, bought(operation)?.charge).await?;
        let charge = charge
            .ok_or_else(|| StoreError::Inconsistent(format!("{} has no charge", operation.id)))?;
        refund::take_back(self, tx, charge, now).await?;
        Ok(charge.obligation.chat)
    }

    /// Tells caches that access to a chat changed.
    pub(super) async fn announce_chat(&self, chat: ChatId) {
        self.events.emit(Event::ChatChanged(chat)).await;
    }
}
