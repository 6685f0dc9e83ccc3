//! Money that a platform has paid a recipient out of what it earned.
//!
//! Earnings have no floor and no row that charges would wait for. What was paid out has a row, and
//! one conditional update of it decides: however many payouts are recorded at once, together they
//! do not exceed what was earned, and what may be advanced.

use plasma_kit::Env;
use plasma_kit::db::{Scope, TenantTx};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{PayoutId, TransactionId, UserId};
use plasma_kit::status::Failure;

use crate::domain::ledger::{Account, Header, Kind, Posting, Transaction};
use crate::domain::money::Money;
use crate::error::{Error, Refusal, Shortfall};
use crate::store::{ledger, payouts};

/// One payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payout {
    pub(crate) id: PayoutId,
    pub(crate) recipient: UserId,
    pub(crate) money: Money,
    /// The platform's own reference.
    pub(crate) reference: String,
    pub(crate) transaction: TransactionId,
    pub(crate) created_at: Timestamp,
}

/// What a platform says it has paid.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) recipient: UserId,
    pub(crate) money: Money,
    /// How much more than what is payable may be paid.
    pub(crate) advance: i64,
    /// The platform's key: the ledger keeps it for ever, and moves money once for it.
    pub(crate) request_id: &'a str,
    /// The platform's own reference.
    pub(crate) reference: &'a str,
}

/// Records a payout, or finds the one that was recorded for the same request after the answer
/// itself is no longer kept.
pub(crate) async fn record(
    tx: &TenantTx,
    env: &Env,
    now: Timestamp,
    order: Order<'_>,
) -> Result<Payout, Error> {
    let Order { recipient, money, advance, request_id, reference } = order;
    if let Some(earlier) = payouts::find(tx, request_id).await? {
        let same = earlier.recipient == recipient
            && earlier.money == money
            && earlier.reference == reference;
        // Not a refusal to keep: the key belongs to the other request.
        return if same { Ok(earlier) } else { Err(Failure::idempotency_key_reused().into()) };
    }
    let earnings = Account::RecipientEarnings(recipient);
    let account = earnings.id(tx.tenant(), money.currency());
    let standing = payouts::standing(tx, account).await?;
    let most = standing.earned().saturating_add(advance);
    if !payouts::pay_out(tx, account, money, most).await? {
        let available = payouts::standing(tx, account).await?.balance;
        let shortfall = Shortfall { required: money, available };
        return Err(Refusal::PayoutExceedsEarnings(shortfall).into());
    }
    let payout = Payout {
        id: PayoutId(env.uuid()),
        recipient,
        money,
        reference: reference.to_owned(),
        transaction: TransactionId(env.uuid()),
        created_at: now,
    };
    let header = Header {
        id: payout.transaction,
        kind: Kind::Payout,
        external_id: request_id.to_owned(),
        reference: reference.to_owned(),
        reverses: None,
        created_at: now,
    };
    let amount = money.minor_units();
    let postings = vec![Posting::new(earnings, -amount), Posting::new(Account::Funding, amount)];
    ledger::post(tx, &Transaction::new(header, money.currency(), postings)?).await?;
    payouts::insert(tx, &payout).await?;
    Ok(payout)
}
