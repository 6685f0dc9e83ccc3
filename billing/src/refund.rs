//! Giving a charge back: the wallet, the books of both platforms, and access, in one transaction.

use plasma_kit::Timestamp;
use plasma_kit::db::{StoreError, TenantTx};
use plasma_kit::ids::{RefundId, TenantId, TransactionId};

use crate::Billing;
use crate::access;
use crate::domain::charge::Charge;
use crate::domain::external::Operation;
use crate::domain::ledger::Kind;
use crate::domain::money::Money;
use crate::domain::refund::{Refund, Remainder};
use crate::error::{Error, Refusal};
use crate::store::external::operations;
use crate::store::{BooksOf, ledger, refunds, subscriptions, wallets};

/// How often a refund begins again after a parallel one of the same charge.
const ATTEMPTS: u32 = 128;

/// What a platform asks for.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) charge: Charge,
    /// All that is left where `None`.
    pub(crate) money: Option<Money>,
    pub(crate) end_access: bool,
    pub(crate) reference: &'a str,
}

/// Where the money of a refund goes.
#[derive(Debug)]
enum Way {
    /// To the hosted wallet that paid.
    Wallet,
    /// To the payer's own wallet, which paid by this operation.
    Provider(Operation),
    /// Nowhere: the payer's own wallet never paid.
    Unpaid,
}

/// Gives money of a charge back, in a transaction of the recipient's tenant. What it refuses leaves
/// nothing behind.
pub(crate) async fn make(
    billing: &Billing,
    tx: &TenantTx,
    order: &Order<'_>,
    now: Timestamp,
) -> Result<Refund, Error> {
    let payer = BooksOf::party(tx, order.charge.payer.tenant);
    let way = match operations::of_charge(&payer, order.charge.id).await? {
        None => Way::Wallet,
        // What is not captured yet may still be declined: nobody gives it back before.
        Some(paid) if !paid.state.is_final() => {
            return Err(StoreError::Conflict("the charge is being captured".to_owned()).into());
        }
        Some(paid) => Way::Provider(paid),
    };
    give(billing, tx, order, &way, now).await
}

/// Takes a charge back that the payer's own wallet did not pay after all, with the access that it
/// was for. In a transaction of the recipient's tenant.
pub(crate) async fn take_back(
    billing: &Billing,
    tx: &TenantTx,
    charge: Charge,
    now: Timestamp,
) -> Result<Refund, Error> {
    let reference = "not captured by the payer's wallet";
    let order = Order { charge, money: None, end_access: true, reference };
    give(billing, tx, &order, &Way::Unpaid, now).await
}

async fn give(
    billing: &Billing,
    tx: &TenantTx,
    order: &Order<'_>,
    way: &Way,
    now: Timestamp,
) -> Result<Refund, Error> {
    let charge = order.charge;
    for _ in 0..ATTEMPTS {
        let (ordinal, refunded) = refunds::latest(tx, charge.id).await?;
        let remainder = Remainder::of(charge.split, refunded).ok_or_else(|| {
            StoreError::Inconsistent(format!("{} was given back more than it was", charge.id))
        })?;
        let left = remainder.minor_units();
        let amount = order.money.map_or(left, Money::minor_units);
        let given = remainder.give_back(amount).ok_or(Refusal::RefundExceedsCharge { left })?;
        let refund = Refund {
            id: RefundId(billing.env.uuid()),
            charge,
            given,
            refunded: refunded.plus(given),
            ordinal: ordinal + 1,
            ended_access: order.end_access,
            created_at: now,
        };
        // The wallet's bound first: a refund that it refuses must leave no row.
        let payer = BooksOf::party(tx, charge.payer.tenant);
        let currency = charge.money.currency();
        if matches!(way, Way::Wallet)
            && !wallets::has_room(&payer, charge.payer.user, currency, amount).await?
        {
            return Err(Refusal::BalanceLimit.into());
        }
        if !refunds::insert(tx, &refund, order.reference).await? {
            continue;
        }
        post(billing, tx, &refund, way).await?;
        if order.end_access {
            access::end(tx, &billing.env, &charge, now).await?;
        }
        return Ok(refund);
    }
    Err(StoreError::Conflict("other refunds of the charge were first".to_owned()).into())
}

/// Returns the money to where it came from and posts the refund to the books of both platforms.
async fn post(billing: &Billing, tx: &TenantTx, refund: &Refund, way: &Way) -> Result<(), Error> {
    let charge = &refund.charge;
    let payer = BooksOf::party(tx, charge.payer.tenant);
    let amount = Money::new(charge.money.currency(), refund.given.sum());
    let amount = amount.ok_or(Refusal::RefundExceedsCharge { left: 0 })?;
    let standing = match way {
        Way::Wallet => {
            let at = refund.created_at;
            let deposited = wallets::deposit(&payer, charge.payer.user, amount, at).await?;
            // Somebody may have filled the wallet meanwhile: nothing of this transaction may stay.
            let full = || StoreError::Conflict("the wallet is full".to_owned());
            Some(deposited.ok_or_else(full)?)
        }
        Way::Provider(paid) => {
            billing.return_by(&payer, paid, refund.id.to_string(), amount).await?;
            None
        }
        Way::Unpaid => None,
    };
    let env = &billing.env;
    let ids = [TransactionId(env.uuid()), TransactionId(env.uuid())];
    let obligation = charge.obligation.external_id();
    let mut reversed: Vec<(TenantId, Option<TransactionId>)> = Vec::with_capacity(2);
    for tenant in [charge.payer.tenant, charge.recipient.tenant] {
        let books = BooksOf::party(tx, tenant);
        reversed.push((tenant, ledger::find(&books, Kind::AccessCharge, &obligation).await?));
    }
    let original = |tenant| {
        reversed
            .iter()
            .find(|(owner, _)| *owner == tenant)
            .and_then(|(_, transaction)| *transaction)
    };
    let transactions = match standing {
        Some(standing) => refund.transactions(ids, original, standing)?,
        None => refund.external_transactions(ids, original)?,
    };
    for (tenant, transaction) in transactions {
        ledger::post(&BooksOf::party(tx, tenant), &transaction).await?;
    }
    if standing.is_none() {
        return Ok(());
    }
    subscriptions::retry_now(&payer, charge.payer.user, charge.money.currency()).await?;
    Ok(())
}
