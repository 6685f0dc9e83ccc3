//! The services of `plasma.billing.v1`: one file for each service, which names its RPCs, and one
//! for each RPC.

mod access;
mod credit_wallet;
mod debit_wallet;
mod explain_price;
mod get_price;
mod get_quote;
mod get_statement;
mod get_wallet;
mod list_charges;
mod list_passes;
mod list_prices;
mod list_wallet_entries;
mod pricing;
mod publish_price;
mod purchase_access;
mod statement;
mod wallet;
mod wallet_movement;

use plasma_kit::Actor;
use plasma_kit::db::TenantClaim;
use plasma_kit::idempotency::Claim;
use plasma_kit::ids::{TenantId, UserId};
use plasma_kit::status::Failure;
use tonic::Status;

use crate::Billing;
use crate::error::{Error, Object, Refusal};

pub use access::AccessService;
pub use pricing::PricingService;
pub use statement::StatementService;
pub use wallet::WalletService;

/// Ends a claimed request without its effect: keeps a refusal for retries, and leaves nothing of a
/// failure.
pub(crate) async fn decline<R>(claim: Claim, error: Error) -> Result<R, Status> {
    match error {
        Error::Refused(refusal) => {
            let failure = Failure::from(refusal);
            claim.decline(&failure).await.map_err(Failure::from)?;
            Err(failure.into())
        }
        Error::Failed(failure) => Err((*failure).into()),
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

async fn require_user(billing: &Billing, tenant: TenantId, user: UserId) -> Result<(), Error> {
    if billing.tenants.user_exists(tenant, user).await? {
        Ok(())
    } else {
        Err(Refusal::NotFound(Object::User).into())
    }
}
