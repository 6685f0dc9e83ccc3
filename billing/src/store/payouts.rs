//! What recipients earned and were paid.

use sea_orm::QueryResult;
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{PayoutId, TransactionId, UserId};
use plasma_kit::paging::Cursor;

use super::{Write, all, below, limit, money, one, write};
use crate::domain::ledger::{Account, Kind};
use crate::domain::money::{Currency, Money};
use crate::payout::Payout;
use crate::time::Span;

/// What waits to be folded, by account.
const WAITING: &str = "SELECT p.account_id, CAST(SUM(p.minor_units) AS BIGINT) AS posted \
                       FROM ledger_unfolded u JOIN ledger_postings p \
                       ON p.tenant_id = u.tenant_id AND p.transaction_id = u.transaction_id \
                       WHERE u.tenant_id = $1 GROUP BY p.account_id";

/// A recipient's earnings, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The sum of all postings: what is payable.
    pub(crate) balance: i64,
    /// What was paid out.
    pub(crate) paid_out: i64,
}

impl Standing {
    /// What charges brought, less what refunds took back.
    pub(crate) fn earned(self) -> i64 {
        self.balance.saturating_add(self.paid_out)
    }
}

/// How an earnings account stands. One statement, so that what is folded, what waits and what was
/// paid out are of the same moment.
pub(crate) async fn standing(books: &impl Scope, account: Uuid) -> Result<Standing, StoreError> {
    let sql = format!(
        "SELECT CAST(COALESCE((SELECT posted FROM ledger_folded \
         WHERE tenant_id = $1 AND account_id = $2), 0) \
         + COALESCE((SELECT posted FROM ({WAITING}) AS waiting \
         WHERE account_id = $2), 0) AS BIGINT) AS balance, \
         CAST(COALESCE((SELECT paid_out FROM ledger_payables \
         WHERE tenant_id = $1 AND account_id = $2), 0) AS BIGINT) AS paid_out"
    );
    let row = one(books, &sql, vec![books.tenant().0.into(), account.into()]).await?;
    row.map_or_else(|| Ok(Standing::default()), |row| read_standing(&row))
}

fn read_standing(row: &QueryResult) -> Result<Standing, StoreError> {
    Ok(Standing { balance: row.try_get("", "balance")?, paid_out: row.try_get("", "paid_out")? })
}

/// Counts money as paid out, in the one statement that keeps payouts at `most` altogether. `false`
/// where it would be more; nothing has changed then.
pub(crate) async fn pay_out(
    books: &impl Write,
    account: Uuid,
    money: Money,
    most: i64,
) -> Result<bool, StoreError> {
    let tenant = books.tenant().0;
    // The row comes first: an update of a row that is not there locks nothing.
    let sql = "INSERT INTO ledger_payables (tenant_id, account_id, paid_out) \
               VALUES ($1, $2, 0) ON CONFLICT DO NOTHING";
    write(books, sql, vec![tenant.into(), account.into()]).await?;
    let sql = "UPDATE ledger_payables SET paid_out = paid_out + $3 \
               WHERE tenant_id = $1 AND account_id = $2 AND paid_out + $3 <= $4";
    let values = vec![tenant.into(), account.into(), money.minor_units().into(), most.into()];
    Ok(write(books, sql, values).await? == 1)
}

/// Inserts a payout.
pub(crate) async fn insert(books: &impl Write, payout: &Payout) -> Result<(), StoreError> {
    let sql = "INSERT INTO payouts (tenant_id, id, recipient_user_id, currency, minor_units, \
               reference, transaction_id, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = vec![
        books.tenant().0.into(),
        payout.id.0.into(),
        payout.recipient.0.into(),
        payout.money.currency().code().into(),
        payout.money.minor_units().into(),
        payout.reference.clone().into(),
        payout.transaction.0.into(),
        payout.created_at.0.into(),
    ];
    expect_rows("write a payout", 1, write(books, sql, values).await?)
}

const COLUMNS: &str = "p.id, p.recipient_user_id, p.currency, p.minor_units, p.reference, \
                       p.transaction_id, p.created_at";

/// The payout of a request.
pub(crate) async fn find(
    books: &impl Scope,
    request_id: &str,
) -> Result<Option<Payout>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM ledger_transactions t JOIN payouts p \
         ON p.tenant_id = t.tenant_id AND p.transaction_id = t.id \
         WHERE t.tenant_id = $1 AND t.kind = $2 AND t.external_id = $3"
    );
    let values = vec![books.tenant().0.into(), Kind::Payout.number().into(), request_id.into()];
    one(books, &sql, values).await?.map(|row| read(&row)).transpose()
}

impl Payout {
    /// Where a page that ends with this payout ends.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor { key: self.created_at.0, id: self.id.0 }
    }
}

/// Lists payouts, newest first, one more than `size`; of one recipient or of all.
pub(crate) async fn list(
    books: &impl Scope,
    recipient: Option<UserId>,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Payout>, StoreError> {
    let of_one = if recipient.is_some() { "AND p.recipient_user_id = $5" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM payouts p \
         WHERE p.tenant_id = $1 AND (p.created_at, p.id) < ($2, $3) {of_one} \
         ORDER BY p.created_at DESC, p.id DESC LIMIT $4"
    );
    let [key, id] = below(cursor);
    let mut values = vec![books.tenant().0.into(), key, id, limit(size)];
    values.extend(recipient.map(|recipient| recipient.0.into()));
    all(books, &sql, values).await?.iter().map(read).collect()
}

/// The payouts of a time in a currency, oldest first, after a moment and an id.
pub(crate) async fn of_time(
    books: &impl Scope,
    currency: Currency,
    span: Span,
    after: (i64, Uuid),
    size: u64,
) -> Result<Vec<Payout>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM payouts p WHERE p.tenant_id = $1 AND p.currency = $2 \
         AND p.created_at >= $3 AND p.created_at < $4 AND (p.created_at, p.id) > ($5, $6) \
         ORDER BY p.created_at, p.id LIMIT $7"
    );
    let values = vec![
        books.tenant().0.into(),
        currency.code().into(),
        span.start.0.into(),
        span.end.0.into(),
        after.0.into(),
        after.1.into(),
        i64::try_from(size).unwrap_or(i64::MAX).into(),
    ];
    all(books, &sql, values).await?.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<Payout, StoreError> {
    Ok(Payout {
        id: PayoutId(row.try_get("", "id")?),
        recipient: UserId(row.try_get("", "recipient_user_id")?),
        money: money(&row.try_get::<String>("", "currency")?, row.try_get("", "minor_units")?)?,
        reference: row.try_get("", "reference")?,
        transaction: TransactionId(row.try_get("", "transaction_id")?),
        created_at: Timestamp(row.try_get("", "created_at")?),
    })
}

/// What a recipient earned in a currency.
#[derive(Debug, Clone)]
pub(crate) struct Earnings {
    pub(crate) recipient: UserId,
    pub(crate) currency: String,
    pub(crate) standing: Standing,
}

impl Earnings {
    /// Where a page that ends with this line ends: the currency's letters are the key.
    pub(crate) fn cursor(&self) -> Cursor {
        let letters = self.currency.bytes().fold(0, |key, letter| key << 8 | i64::from(letter));
        Cursor { key: letters, id: self.recipient.0 }
    }
}

/// Lists earnings in the order of recipients and currencies, one more than `size`; in one currency
/// or in all.
pub(crate) async fn earnings(
    books: &impl Scope,
    currency: Option<Currency>,
    cursor: Option<Cursor>,
    size: u64,
) -> Result<Vec<Earnings>, StoreError> {
    let in_one = if currency.is_some() { "AND a.currency = $6" } else { "" };
    let sql = format!(
        "SELECT a.owner_id, a.currency, \
         CAST(COALESCE(f.posted, 0) + COALESCE(w.posted, 0) AS BIGINT) AS balance, \
         COALESCE(y.paid_out, 0) AS paid_out FROM ledger_accounts a \
         LEFT JOIN ledger_folded f ON f.tenant_id = a.tenant_id AND f.account_id = a.id \
         LEFT JOIN ({WAITING}) AS w ON w.account_id = a.id \
         LEFT JOIN ledger_payables y ON y.tenant_id = a.tenant_id AND y.account_id = a.id \
         WHERE a.tenant_id = $1 AND a.purpose = $2 AND (a.owner_id, a.currency) > ($3, $4) {in_one} \
         ORDER BY a.owner_id, a.currency LIMIT $5"
    );
    let cursor = cursor.unwrap_or(Cursor { key: 0, id: Uuid::nil() });
    let letters = cursor.key.to_be_bytes();
    let after = String::from_utf8_lossy(&letters[5..]).trim_start_matches('\0').to_owned();
    let purpose = Account::RecipientEarnings(UserId(Uuid::nil())).purpose();
    let mut values =
        vec![books.tenant().0.into(), purpose.into(), cursor.id.into(), after.into(), limit(size)];
    values.extend(currency.map(|currency| currency.code().into()));
    let line = |row: &QueryResult| {
        Ok(Earnings {
            recipient: UserId(row.try_get("", "owner_id")?),
            currency: row.try_get("", "currency")?,
            standing: read_standing(row)?,
        })
    };
    all(books, &sql, values).await?.iter().map(line).collect()
}
