//! Wallets: balances with a floor, and their entries.

use sea_orm::QueryResult;
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{TransactionId, UserId};
use plasma_kit::paging::Cursor;

use super::{Write, all, below, currency, limit, one, write};
use crate::domain::ledger::{Account, Standing};
use crate::domain::money::{Currency, MINOR_UNITS_MAX, Money};
use crate::time::Span;

/// What a wallet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Balance {
    /// The money in it.
    pub(crate) posted: i64,
    /// What of it can be spent.
    pub(crate) available: i64,
}

/// Reads a wallet; `None` where it never held money.
pub(crate) async fn get(
    books: &impl Scope,
    user: UserId,
    currency: Currency,
) -> Result<Option<Balance>, StoreError> {
    let sql = "SELECT posted, posted - held + credit_limit AS available FROM ledger_balances \
               WHERE tenant_id = $1 AND account_id = $2";
    let values = vec![books.tenant().0.into(), id(books, user, currency).into()];
    let Some(row) = one(books, sql, values).await? else { return Ok(None) };
    Ok(Some(Balance {
        posted: row.try_get("", "posted")?,
        available: row.try_get("", "available")?,
    }))
}

/// The currencies that a user has wallets in, in the order of their codes.
pub(crate) async fn currencies(
    books: &impl Scope,
    user: UserId,
) -> Result<Vec<Currency>, StoreError> {
    let sql = "SELECT currency FROM ledger_accounts \
               WHERE tenant_id = $1 AND purpose = $2 AND owner_id = $3 ORDER BY currency";
    let wallet = Account::Wallet(user);
    let values = vec![books.tenant().0.into(), wallet.purpose().into(), wallet.owner().into()];
    let rows = all(books, sql, values).await?;
    rows.iter().map(|row| currency(&row.try_get::<String>("", "currency")?)).collect()
}

/// Adds money, and makes the wallet where there is none. `None` where it would hold more than
/// [`MINOR_UNITS_MAX`]; nothing has moved then.
pub(crate) async fn deposit(
    books: &impl Write,
    user: UserId,
    money: Money,
    now: Timestamp,
) -> Result<Option<Standing>, StoreError> {
    let wallet = std::iter::once(Account::Wallet(user));
    super::ledger::ensure_accounts(books, money.currency(), wallet, now).await?;
    let (tenant, account) = (books.tenant().0, id(books, user, money.currency()));
    // The row comes first: an update of a row that is not there locks nothing.
    let sql = "INSERT INTO ledger_balances \
               (tenant_id, account_id, posted, held, credit_limit, version) \
               VALUES ($1, $2, 0, 0, 0, 0) ON CONFLICT DO NOTHING";
    write(books, sql, vec![tenant.into(), account.into()]).await?;
    let sql = "UPDATE ledger_balances SET posted = posted + $3, version = version + 1 \
               WHERE tenant_id = $1 AND account_id = $2 AND posted <= $4 \
               RETURNING posted, version";
    let room = MINOR_UNITS_MAX - money.minor_units();
    let values = vec![tenant.into(), account.into(), money.minor_units().into(), room.into()];
    one(books, sql, values).await?.map(|row| standing(&row)).transpose()
}

/// Whether a wallet can take so much more.
pub(crate) async fn has_room(
    books: &impl Scope,
    user: UserId,
    currency: Currency,
    minor_units: i64,
) -> Result<bool, StoreError> {
    let held = get(books, user, currency).await?.unwrap_or_default();
    Ok(held.posted <= MINOR_UNITS_MAX - minor_units)
}

/// Takes money out, in the one statement that enforces the floor. `None` where the wallet does not
/// cover it, or is not there; nothing has moved then.
pub(crate) async fn withdraw(
    books: &impl Write,
    user: UserId,
    money: Money,
) -> Result<Option<Standing>, StoreError> {
    let sql = "UPDATE ledger_balances SET posted = posted - $3, version = version + 1 \
               WHERE tenant_id = $1 AND account_id = $2 AND posted - held + credit_limit >= $3 \
               RETURNING posted, version";
    let values = vec![
        books.tenant().0.into(),
        id(books, user, money.currency()).into(),
        money.minor_units().into(),
    ];
    one(books, sql, values).await?.map(|row| standing(&row)).transpose()
}

/// One movement of a wallet.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) transaction: TransactionId,
    pub(crate) kind: i16,
    pub(crate) minor_units: i64,
    pub(crate) standing: Standing,
    pub(crate) reference: String,
    pub(crate) created_at: Timestamp,
}

impl Entry {
    /// Where a page that ends with this entry ends.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { key: self.standing.version, id: self.transaction.0 }
    }
}

/// Lists a wallet's movements, newest first, one more than `size`.
pub(crate) async fn entries(
    books: &impl Scope,
    user: UserId,
    currency: Currency,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Entry>, StoreError> {
    let sql = "SELECT p.transaction_id, t.kind, p.minor_units, p.balance_after, \
               p.account_version, t.reference, p.created_at \
               FROM ledger_postings p JOIN ledger_transactions t \
               ON t.tenant_id = p.tenant_id AND t.id = p.transaction_id \
               WHERE p.tenant_id = $1 AND p.account_id = $2 AND p.account_version < $3 \
               ORDER BY p.account_version DESC LIMIT $4";
    // Versions number the movements of one wallet without a tie.
    let [version, _] = below(cursor);
    let values =
        vec![books.tenant().0.into(), id(books, user, currency).into(), version, limit(size)];
    all(books, sql, values).await?.iter().map(entry).collect()
}

/// A wallet's movements of a time, oldest first, those after a number.
pub(crate) async fn entries_of_time(
    books: &impl Scope,
    user: UserId,
    currency: Currency,
    span: Span,
    after: i64,
    size: u64,
) -> Result<Vec<Entry>, StoreError> {
    let sql = "SELECT p.transaction_id, t.kind, p.minor_units, p.balance_after, \
               p.account_version, t.reference, p.created_at \
               FROM ledger_postings p JOIN ledger_transactions t \
               ON t.tenant_id = p.tenant_id AND t.id = p.transaction_id \
               WHERE p.tenant_id = $1 AND p.account_id = $2 AND p.account_version > $3 \
               AND p.created_at >= $4 AND p.created_at < $5 \
               ORDER BY p.account_version LIMIT $6";
    let values = vec![
        books.tenant().0.into(),
        id(books, user, currency).into(),
        after.into(),
        span.start.0.into(),
        span.end.0.into(),
        i64::try_from(size).unwrap_or(i64::MAX).into(),
    ];
    all(books, sql, values).await?.iter().map(entry).collect()
}

fn entry(row: &QueryResult) -> Result<Entry, StoreError> {
    Ok(Entry {
        transaction: TransactionId(row.try_get("", "transaction_id")?),
        kind: row.try_get("", "kind")?,
        minor_units: row.try_get("", "minor_units")?,
        standing: Standing {
            balance: row.try_get("", "balance_after")?,
            version: row.try_get("", "account_version")?,
        },
        reference: row.try_get("", "reference")?,
        created_at: Timestamp(row.try_get("", "created_at")?),
    })
}

fn id(books: &impl Scope, user: UserId, currency: Currency) -> Uuid {
    Account::Wallet(user).id(books.tenant(), currency)
}

fn standing(row: &QueryResult) -> Result<Standing, StoreError> {
    Ok(Standing { balance: row.try_get("", "posted")?, version: row.try_get("", "version")? })
}
