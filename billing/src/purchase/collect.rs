//! Taking the money of a charge and posting it: in one platform's books or in two, in the one
//! transaction that grants what is paid for.

use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::ids::{TransactionId, UserId};

use crate::Billing;
use crate::domain::charge::Charge;
use crate::domain::external::Bought;
use crate::domain::money::Money;
use crate::error::{Error, Refusal, Shortfall};
use crate::external::reserve::{Captured, Funding};
use crate::store::{BooksOf, charges, ledger, wallets};

/// Takes the money and posts and records the charge: from the payer's hosted wallet, in the one
/// statement that enforces its floor, or by marking for its capture what the payer's own wallet has set
/// aside. Refuses without having changed anything.
pub(crate) async fn collect(
    billing: &Billing,
    tx: &TenantTx,
    charge: &Charge,
    funding: &Funding,
) -> Result<Option<Captured>, Error> {
    let env = &billing.env;
    let ids = [TransactionId(env.uuid()), TransactionId(env.uuid())];
    let (transactions, captured) = match funding {
        Funding::Hosted => {
            let taken = wallets::withdraw(tx, charge.payer.user, charge.money).await?;
            let Some(standing) = taken else {
                return Err(uncovered(tx, charge.payer.user, charge.money).await?.into());
            };
            (charge.transactions(ids, standing)?, None)
        }
        Funding::External(reserved) if reserved.covers(charge.payer, charge.money) => {
            let bought = Bought { tenant: charge.recipient.tenant, charge: charge.id };
            let captured = reserved.capture(billing, tx, bought).await?;
            (charge.external_transactions(ids)?, Some(captured))
        }
        // The price or the access changed while the money was set aside.
        Funding::External(_) | Funding::Sold => {
            let text = "another amount was set aside than is charged";
            return Err(StoreError::Conflict(text.to_owned()).into());
        }
    };
    for (tenant, transaction) in transactions {
        ledger::post(&BooksOf::party(tx, tenant), &transaction).await?;
    }
    charges::insert(&BooksOf::party(tx, charge.recipient.tenant), charge).await?;
    Ok(captured)
}

/// Why a payer's wallets did not cover a price.
async fn uncovered(tx: &TenantTx, payer: UserId, required: Money) -> Result<Refusal, StoreError> {
    let wallets = wallets::currencies(tx, payer).await?;
    if !wallets.is_empty() && !wallets.contains(&required.currency()) {
        return Ok(Refusal::CurrencyMismatch { price: required.currency(), wallets });
    }
    let balance = wallets::get(tx, payer, required.currency()).await?.unwrap_or_default();
    Ok(Refusal::PaymentRequired(Shortfall { required, available: balance.available }))
}
