//! Money that a platform puts into a user's wallet or takes out of it.

use plasma_kit::db::TenantTx;
use plasma_kit::ids::{TransactionId, UserId};
use plasma_kit::status::Failure;
use plasma_kit::{Env, Timestamp};

use crate::domain::ledger::{Account, Header, Kind, Posting, Transaction};
use crate::domain::money::Money;
use crate::error::{Error, Refusal, Shortfall};
use crate::store::ledger::Movement;
use crate::store::{ledger, subscriptions, wallets};

/// Which way money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

impl Direction {
    fn kind(self) -> Kind {
        match self {
            Self::In => Kind::Credit,
            Self::Out => Kind::Debit,
        }
    }

    fn signed(self, money: Money) -> i64 {
        match self {
            Self::In => money.minor_units(),
            Self::Out => -money.minor_units(),
        }
    }
}

/// What a platform asks for.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) direction: Direction,
    pub(crate) user: UserId,
    pub(crate) money: Money,
    /// The platform's key: the ledger keeps it for ever, and moves money once for it.
    pub(crate) request_id: &'a str,
    /// The platform's own reference.
    pub(crate) reference: &'a str,
    /// The time at the platform.
    pub(crate) now: Timestamp,
}

/// Moves money, or finds how it was moved for the same request after the answer itself is no
/// longer kept. Refuses without having changed anything that matters.
pub(crate) async fn make(tx: &TenantTx, env: &Env, order: Order<'_>) -> Result<Movement, Error> {
    let Order { direction, user, money, request_id, reference, now } = order;
    let (kind, minor_units) = (direction.kind(), direction.signed(money));
    let wallet = Account::Wallet(user);
    if let Some(earlier) = ledger::movement(tx, kind, request_id, wallet, money.currency()).await? {
        let same = |earlier: &Movement| {
            earlier.minor_units == minor_units && earlier.reference == reference
        };
        // Not a refusal to keep: the key belongs to the other request.
        return earlier.filter(same).ok_or_else(|| Failure::idempotency_key_reused().into());
    }
    let moved = match direction {
        Direction::In => wallets::deposit(tx, user, money, now).await?,
        Direction::Out => wallets::withdraw(tx, user, money).await?,
    };
    let Some(standing) = moved else {
        return Err(match direction {
            Direction::In => Refusal::BalanceLimit,
            Direction::Out => {
                let balance = wallets::get(tx, user, money.currency()).await?.unwrap_or_default();
                Refusal::InsufficientFunds(Shortfall {
                    required: money,
                    available: balance.available,
                })
            }
        }
        .into());
    };
    let header = Header {
        id: TransactionId(env.uuid()),
        kind,
        external_id: request_id.to_owned(),
        reference: reference.to_owned(),
        reverses: None,
        created_at: now,
    };
    let id = header.id;
    let postings = vec![
        Posting::on_wallet(user, minor_units, standing),
        Posting::new(Account::Funding, -minor_units),
    ];
    ledger::post(tx, &Transaction::new(header, money.currency(), postings)?).await?;
    if direction == Direction::In {
        subscriptions::retry_now(tx, user, money.currency()).await?;
    }
    Ok(Movement { transaction: id, minor_units, standing, reference: reference.to_owned() })
}
