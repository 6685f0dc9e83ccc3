//! `DeviceService.RequestAccountReset`: someone whom the platform vouches for wants to begin anew.

use plasma_kit::actor::EnrollmentActor;
use plasma_kit::db::TenantClaim;
use plasma_kit::events::Event;
use plasma_kit::{Failure, TenantTx};
use plasma_proto::messaging::v1 as pb;

use super::contract;
use crate::Messaging;
use crate::domain::{AccountReset, Refusal};
use crate::store;

#[tracing::instrument(
    name = "messaging.request_account_reset", skip_all, fields(tenant = %user.tenant)
)]
pub(super) async fn handle(
    messaging: &Messaging,
    user: EnrollmentActor,
) -> Result<pb::RequestAccountResetResponse, Failure> {
    let terms = messaging.tenants.terms(user.tenant).await?.ok_or(Refusal::UserNotFound)?;
    let asked = AccountReset::new(messaging.env.now(), terms.account_reset_delay);
    let tx = messaging.db.tenant(TenantClaim::of_enrollment(&user)).begin().await?;
    let reset = match settle(&tx, user, asked).await {
        Ok(reset) => reset,
        Err(failure) => {
            tx.rollback().await?;
            return Err(failure);
        }
    };
    tx.commit().await?;
    if reset == asked {
        messaging.events.emit(Event::AccountNotice(user.tenant, user.user)).await;
    }
    Ok(pb::RequestAccountResetResponse { reset: Some(contract::account_reset(&reset)) })
}

/// The reset that is pending already, or the one that is asked for now.
async fn settle(
    tx: &TenantTx,
    user: EnrollmentActor,
    asked: AccountReset,
) -> Result<AccountReset, Failure> {
    store::accounts::lock(tx, user.user).await?;
    if store::accounts::find(tx, user.user).await?.is_none() {
        return Err(Refusal::UserNotFound.into());
    }
    let before = store::account_resets::find(tx, user.user).await?;
    if let Some(pending) = before.filter(|before| before.is_pending(asked.requested_at)) {
        return Ok(pending);
    }
    store::account_resets::replace(tx, user.user, &asked).await?;
    Ok(asked)
}
