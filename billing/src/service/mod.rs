//! The services of `plasma.billing.v1`: one file for each service, which names its RPCs, and one
//! for each RPC.

mod accept_price_change;
mod access;
mod advance_clock;
mod cancel_subscription;
mod clock;
mod credit_wallet;
mod debit_wallet;
mod export_csv;
mod external_wallet;
mod get_charge_proof;
mod get_checkpoint;
mod get_clock;
mod get_quote;
mod get_reconciliation;
mod get_revenue;
mod get_statement;
mod get_subscription;
mod get_wallet;
mod get_wallet_provider;
mod ledger;
mod list_charges;
mod list_earnings;
mod list_external_operations;
mod list_passes;
mod list_payouts;
mod list_reconciliations;
mod list_refunds;
mod list_subscriptions;
mod list_transactions;
mod list_wallet_entries;
mod payout;
mod pricing;
mod purchase_access;
mod record_payout;
mod refund_charge;
mod remove_wallet_provider;
mod set_wallet_provider;
mod start_reconciliation;
mod statement;
mod subscribed;
mod undo_cancellation;
mod wallet;
mod wallet_movement;

use plasma_kit::Actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::Claim;
use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::status::Failure;
use prost::Message;
use tonic::Status;

use crate::Billing;
use crate::error::{Error, Object, Refusal};

pub use access::AccessService;
pub use clock::ClockService;
pub use external_wallet::ExternalWalletService;
pub use ledger::LedgerService;
pub use payout::PayoutService;
pub use pricing::PricingService;
pub use statement::StatementService;
pub use wallet::WalletService;

/// Ends a claimed request without its effect: keeps a refusal for retries, and leaves nothing of a
/// failure, nor of a bad field, which says the same of the same request by itself.
pub(crate) async fn decline<R>(claim: Claim, error: Error) -> Result<R, Status> {
    match error {
        Error::Refused(refusal @ Refusal::Invalid { .. }) => Err(Failure::from(refusal).into()),
        Error::Refused(refusal) => {
            let failure = Failure::from(refusal);
            claim.decline(&failure).await.map_err(Failure::from)?;
            Err(failure.into())
        }
        Error::Failed(failure) => Err((*failure).into()),
    }
}

/// Ends a claimed request: with its answer and its effect, or as [`decline`] does.
pub(crate) async fn conclude<R: Message>(
    claim: Claim,
    outcome: Result<R, Error>,
) -> Result<R, Status> {
    match outcome {
        Ok(response) => {
            claim.commit(&response).await.map_err(Failure::from)?;
            Ok(response)
        }
        Err(error) => decline(claim, error).await,
    }
}

/// Whose wallet a caller asks about.
struct WalletOwner {
    claim: TenantClaim,
    user: UserId,
}

/// Decides whose wallet a caller may see: a device its own user's only, another's is as absent; a
/// platform any of its users'.
async fn wallet_owner(
    billing: &Billing,
    actor: Actor,
    user_id: &str,
) -> Result<WalletOwner, Error> {
    let asked = UserId::checked_optional(user_id);
    match actor {
        Actor::Device(device) => {
            if asked.is_some_and(|asked| asked != device.user) {
                return Err(Refusal::NotFound(Object::User).into());
            }
            Ok(WalletOwner { claim: TenantClaim::of_device(&device), user: device.user })
        }
        Actor::Key(key) => {
            let user = asked.ok_or(Refusal::Invalid { field: "user_id", rule: "must be set" })?;
            require_user(billing, key.tenant, user).await?;
            Ok(WalletOwner { claim: TenantClaim::of_key(&key), user })
        }
        Actor::Anyone | Actor::Operator | Actor::Enrollment(_) => {
            Err(Failure::principal_not_allowed().into())
        }
    }
}

/// Refuses one who is not a user of the tenant.
pub(crate) async fn require_user(
    billing: &Billing,
    tenant: TenantId,
    user: UserId,
) -> Result<(), Error> {
    if billing.tenants.user_exists(tenant, user).await? {
        Ok(())
    } else {
        Err(Refusal::NotFound(Object::User).into())
    }
}
