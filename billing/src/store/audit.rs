//! What the verifier reads. Sums are made of two halves, so that no tampered amount overflows them.

use std::collections::HashMap;

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::ids::{ChargeId, ChatId, PayoutId, TenantId, TransactionId, UserId};
use plasma_proof::{Hash, SignedCheckpoint};

use super::history::{hash, read_checkpoint};
use super::{all, one};
use crate::domain::ledger::{Account, Kind};
use crate::domain::pass::Obligation;

/// Most orphans of a kind that are named.
const ORPHANS: i64 = 100;

/// The two halves of a sum of minor units.
const HALVES: &str = "CAST(SUM(p.minor_units >> 32) AS BIGINT) AS high, \
                      CAST(SUM(p.minor_units & 4294967295) AS BIGINT) AS low";

fn joined(row: &QueryResult) -> Result<i128, StoreError> {
    let high: Option<i64> = row.try_get("", "high")?;
    let low: Option<i64> = row.try_get("", "low")?;
    Ok((i128::from(high.unwrap_or_default()) << 32) + i128::from(low.unwrap_or_default()))
}

/// `$2, $3, …` for ids, and the values of a statement that begins with the tenant.
fn listed(books: &impl Scope, ids: &[Uuid]) -> (String, Vec<Value>) {
    let list: Vec<String> = (0..ids.len()).map(|n| format!("${}", n + 2)).collect();
    let values = std::iter::once(books.tenant().0.into());
    (list.join(", "), values.chain(ids.iter().map(|id| (*id).into())).collect())
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Where a transaction is in the history.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    /// Its number and its hash.
    pub(crate) folded: Option<(u64, Hash)>,
    /// When it was made, where it waits.
    pub(crate) waits_since: Option<i64>,
}

/// The places of transactions; none for one that has none.
pub(crate) async fn places(
    books: &impl Scope,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Place>, StoreError> {
    let (list, values) = listed(books, ids);
    let sql = format!(
        "SELECT transaction_id, number, entry_hash FROM ledger_chain \
         WHERE tenant_id = $1 AND transaction_id IN ({list})"
    );
    let mut found: HashMap<Uuid, Place> = HashMap::new();
    for row in all(books, &sql, values.clone()).await? {
        let folded = (unsigned(row.try_get("", "number")?), hash(&row, "entry_hash")?);
        found.entry(row.try_get("", "transaction_id")?).or_default().folded = Some(folded);
    }
    let sql = format!(
        "SELECT transaction_id, created_at FROM ledger_unfolded \
         WHERE tenant_id = $1 AND transaction_id IN ({list})"
    );
    for row in all(books, &sql, values).await? {
        let since = Some(row.try_get("", "created_at")?);
        found.entry(row.try_get("", "transaction_id")?).or_default().waits_since = since;
    }
    Ok(found)
}

/// An account as its row says.
#[derive(Debug, Clone)]
pub(crate) struct AccountRow {
    pub(crate) id: Uuid,
    pub(crate) purpose: i16,
    pub(crate) owner: Uuid,
    pub(crate) currency: String,
}

impl AccountRow {
    /// The platform that it is owed to.
    pub(crate) fn due_to(&self) -> Option<TenantId> {
        let peer = TenantId(self.owner);
        (self.purpose == Account::DueTo(peer).purpose()).then_some(peer)
    }
}

fn account(row: &QueryResult) -> Result<AccountRow, StoreError> {
    Ok(AccountRow {
        id: row.try_get("", "id")?,
        purpose: row.try_get("", "purpose")?,
        owner: row.try_get("", "owner_id")?,
        currency: row.try_get("", "currency")?,
    })
}

/// The accounts of some ids.
pub(crate) async fn accounts(
    books: &impl Scope,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, AccountRow>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (list, values) = listed(books, ids);
    let sql = format!(
        "SELECT id, purpose, owner_id, currency FROM ledger_accounts \
         WHERE tenant_id = $1 AND id IN ({list})"
    );
    let rows = all(books, &sql, values).await?;
    rows.iter().map(|row| account(row).map(|account| (account.id, account))).collect()
}

/// The accounts between platforms.
pub(crate) async fn clearing_accounts(books: &impl Scope) -> Result<Vec<AccountRow>, StoreError> {
    let sql = "SELECT id, purpose, owner_id, currency FROM ledger_accounts \
               WHERE tenant_id = $1 AND purpose IN ($2, $3) ORDER BY id";
    let peer = TenantId(Uuid::nil());
    let purposes = [Account::DueTo(peer).purpose(), Account::DueFrom(peer).purpose()];
    let values = vec![books.tenant().0.into(), purposes[0].into(), purposes[1].into()];
    all(books, sql, values).await?.iter().map(account).collect()
}

/// The sum of an account's postings.
pub(crate) async fn sum(books: &impl Scope, account: Uuid) -> Result<i128, StoreError> {
    let sql = format!(
        "SELECT {HALVES} FROM ledger_postings p WHERE p.tenant_id = $1 AND p.account_id = $2"
    );
    let row = one(books, &sql, vec![books.tenant().0.into(), account.into()]).await?;
    row.map_or(Ok(0), |row| joined(&row))
}

/// The sum of all postings in each currency.
pub(crate) async fn totals(books: &impl Scope) -> Result<Vec<(String, i128)>, StoreError> {
    let sql = format!(
        "SELECT p.currency, {HALVES} FROM ledger_postings p WHERE p.tenant_id = $1 \
         GROUP BY p.currency ORDER BY p.currency"
    );
    let rows = all(books, &sql, vec![books.tenant().0.into()]).await?;
    rows.iter().map(|row| Ok((row.try_get("", "currency")?, joined(row)?))).collect()
}

/// Accounts without a floor, by their ids, those after `after`: by their own rows, and by those of
/// their kept balances.
pub(crate) async fn account_page(
    books: &impl Scope,
    after: Uuid,
    size: u64,
) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT id FROM ledger_accounts WHERE tenant_id = $1 AND purpose <> $2 AND id > $3 \
               UNION SELECT account_id AS id FROM ledger_folded \
               WHERE tenant_id = $1 AND account_id > $3 ORDER BY id LIMIT $4";
    let wallet = Account::Wallet(UserId(Uuid::nil())).purpose();
    let values = vec![books.tenant().0.into(), wallet.into(), after.into(), signed(size).into()];
    all(books, sql, values).await?.iter().map(|row| Ok(row.try_get("", "id")?)).collect()
}

/// An account's kept balance, and what it must be.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kept {
    /// The balance that is kept.
    pub(crate) kept: i64,
    /// The sum of the postings that are folded.
    pub(crate) folded: i128,
}

/// The kept balances of accounts, beside the sums of their folded postings: all, less what waits.
pub(crate) async fn posted_and_folded(
    books: &impl Scope,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Kept>, StoreError> {
    let (list, values) = listed(books, ids);
    let mut found: HashMap<Uuid, Kept> = HashMap::new();
    let sql = format!(
        "SELECT p.account_id, {HALVES} FROM ledger_postings p \
         WHERE p.tenant_id = $1 AND p.account_id IN ({list}) GROUP BY p.account_id"
    );
    for row in all(books, &sql, values.clone()).await? {
        found.entry(row.try_get("", "account_id")?).or_default().folded += joined(&row)?;
    }
    let sql = format!(
        "SELECT p.account_id, {HALVES} FROM ledger_unfolded u JOIN ledger_postings p \
         ON p.tenant_id = u.tenant_id AND p.transaction_id = u.transaction_id \
         WHERE u.tenant_id = $1 AND p.account_id IN ({list}) GROUP BY p.account_id"
    );
    for row in all(books, &sql, values.clone()).await? {
        found.entry(row.try_get("", "account_id")?).or_default().folded -= joined(&row)?;
    }
    let sql = format!(
        "SELECT account_id, posted FROM ledger_folded \
         WHERE tenant_id = $1 AND account_id IN ({list})"
    );
    for row in all(books, &sql, values).await? {
        found.entry(row.try_get("", "account_id")?).or_default().kept =
            row.try_get("", "posted")?;
    }
    Ok(found)
}

/// What was paid out of an account, as it is kept and as it was posted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PaidOut {
    pub(crate) kept: i64,
    pub(crate) posted: i128,
}

/// What was paid out of accounts; none of one that nothing was paid out of.
pub(crate) async fn paid_out(
    books: &impl Scope,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, PaidOut>, StoreError> {
    let (list, mut values) = listed(books, ids);
    let mut found: HashMap<Uuid, PaidOut> = HashMap::new();
    let sql = format!(
        "SELECT account_id, paid_out FROM ledger_payables \
         WHERE tenant_id = $1 AND account_id IN ({list})"
    );
    for row in all(books, &sql, values.clone()).await? {
        let account = row.try_get("", "account_id")?;
        found.entry(account).or_default().kept = row.try_get("", "paid_out")?;
    }
    let sql = format!(
        "SELECT p.account_id, {HALVES} FROM ledger_transactions t JOIN ledger_postings p \
         ON p.tenant_id = t.tenant_id AND p.transaction_id = t.id \
         WHERE t.tenant_id = $1 AND p.account_id IN ({list}) AND t.kind = ${} \
         AND p.minor_units < 0 GROUP BY p.account_id",
        ids.len() + 2
    );
    values.push(Kind::Payout.number().into());
    for row in all(books, &sql, values).await? {
        found.entry(row.try_get("", "account_id")?).or_default().posted -= joined(&row)?;
    }
    Ok(found)
}

/// Payouts that no transaction posts as they are recorded.
pub(crate) async fn payouts_not_posted(books: &impl Scope) -> Result<Vec<PayoutId>, StoreError> {
    let sql = "SELECT y.id FROM payouts y LEFT JOIN ledger_transactions t \
               ON t.tenant_id = y.tenant_id AND t.id = y.transaction_id AND t.kind = $2 \
               LEFT JOIN ledger_postings p ON p.tenant_id = t.tenant_id \
               AND p.transaction_id = t.id AND p.minor_units = -y.minor_units \
               AND p.currency = y.currency \
               WHERE y.tenant_id = $1 AND p.line IS NULL ORDER BY y.id LIMIT $3";
    let values = vec![books.tenant().0.into(), Kind::Payout.number().into(), ORPHANS.into()];
    let rows = all(books, sql, values).await?;
    rows.iter().map(|row| Ok(PayoutId(row.try_get("", "id")?))).collect()
}

/// One movement of a wallet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WalletEntry {
    pub(crate) account: Uuid,
    pub(crate) version: i64,
    pub(crate) transaction: TransactionId,
    pub(crate) minor_units: i64,
    pub(crate) balance: i64,
}

/// The movements of all wallets, wallet by wallet in the order of their numbers, those after
/// `after`.
pub(crate) async fn wallet_entries(
    books: &impl Scope,
    after: (Uuid, i64),
    size: u64,
) -> Result<Vec<WalletEntry>, StoreError> {
    let sql = "SELECT account_id, account_version, transaction_id, minor_units, \
               COALESCE(balance_after, 0) AS balance_after FROM ledger_postings \
               WHERE tenant_id = $1 AND account_version IS NOT NULL \
               AND (account_id, account_version) > ($2, $3) \
               ORDER BY account_id, account_version LIMIT $4";
    let values = vec![books.tenant().0.into(), after.0.into(), after.1.into(), signed(size).into()];
    let entry = |row: &QueryResult| {
        Ok(WalletEntry {
            account: row.try_get("", "account_id")?,
            version: row.try_get("", "account_version")?,
            transaction: TransactionId(row.try_get("", "transaction_id")?),
            minor_units: row.try_get("", "minor_units")?,
            balance: row.try_get("", "balance_after")?,
        })
    };
    all(books, sql, values).await?.iter().map(entry).collect()
}

/// A wallet's kept balance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BalanceRow {
    pub(crate) posted: i64,
    pub(crate) version: i64,
}

/// The kept balances of some wallets.
pub(crate) async fn balances(
    books: &impl Scope,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, BalanceRow>, StoreError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let (list, values) = listed(books, ids);
    let sql = format!(
        "SELECT account_id, posted, version FROM ledger_balances \
         WHERE tenant_id = $1 AND account_id IN ({list})"
    );
    let balance = |row: &QueryResult| {
        let balance =
            BalanceRow { posted: row.try_get("", "posted")?, version: row.try_get("", "version")? };
        Ok((row.try_get("", "account_id")?, balance))
    };
    all(books, &sql, values).await?.iter().map(balance).collect()
}

/// Balances that say something although nothing was posted.
pub(crate) async fn balances_without_postings(books: &impl Scope) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT b.account_id FROM ledger_balances b \
               WHERE b.tenant_id = $1 AND (b.posted <> 0 OR b.version <> 0) \
               AND NOT EXISTS (SELECT 1 FROM ledger_postings p WHERE p.tenant_id = b.tenant_id \
               AND p.account_id = b.account_id) ORDER BY b.account_id LIMIT $2";
    let rows = all(books, sql, vec![books.tenant().0.into(), ORPHANS.into()]).await?;
    rows.iter().map(|row| Ok(row.try_get("", "account_id")?)).collect()
}

async fn transactions(books: &impl Scope, sql: &str) -> Result<Vec<TransactionId>, StoreError> {
    let rows = all(books, sql, vec![books.tenant().0.into(), ORPHANS.into()]).await?;
    rows.iter().map(|row| Ok(TransactionId(row.try_get("", "transaction_id")?))).collect()
}

/// Transactions of which postings are left.
pub(crate) async fn postings_without_transaction(
    books: &impl Scope,
) -> Result<Vec<TransactionId>, StoreError> {
    let sql = "SELECT DISTINCT p.transaction_id FROM ledger_postings p \
               WHERE p.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM ledger_transactions t \
               WHERE t.tenant_id = p.tenant_id AND t.id = p.transaction_id) LIMIT $2";
    transactions(books, sql).await
}

/// What waits to be folded and is no transaction.
pub(crate) async fn waiting_without_transaction(
    books: &impl Scope,
) -> Result<Vec<TransactionId>, StoreError> {
    let sql = "SELECT u.transaction_id FROM ledger_unfolded u \
               WHERE u.tenant_id = $1 AND NOT EXISTS (SELECT 1 FROM ledger_transactions t \
               WHERE t.tenant_id = u.tenant_id AND t.id = u.transaction_id) LIMIT $2";
    transactions(books, sql).await
}

/// Links from one number to another whose transactions are gone.
pub(crate) async fn links_without_transaction(
    books: &impl Scope,
    first: u64,
    last: u64,
) -> Result<Vec<(u64, TransactionId)>, StoreError> {
    let sql = "SELECT c.number, c.transaction_id FROM ledger_chain c \
               WHERE c.tenant_id = $1 AND c.number BETWEEN $2 AND $3 \
               AND NOT EXISTS (SELECT 1 FROM ledger_transactions t \
               WHERE t.tenant_id = c.tenant_id AND t.id = c.transaction_id) ORDER BY c.number";
    let values = vec![books.tenant().0.into(), signed(first).into(), signed(last).into()];
    let link = |row: &QueryResult| {
        let transaction = TransactionId(row.try_get("", "transaction_id")?);
        Ok((unsigned(row.try_get("", "number")?), transaction))
    };
    all(books, sql, values).await?.iter().map(link).collect()
}

/// The checkpoints that are kept, by their sizes, those above `after`.
pub(crate) async fn checkpoints(
    books: &impl Scope,
    after: u64,
    size: u64,
) -> Result<Vec<SignedCheckpoint>, StoreError> {
    let sql = "SELECT size, chain_hash, root_hash, signed_at, signature FROM ledger_checkpoints \
               WHERE tenant_id = $1 AND size > $2 ORDER BY size LIMIT $3";
    let values = vec![books.tenant().0.into(), signed(after).into(), signed(size).into()];
    let rows = all(books, sql, values).await?;
    rows.iter().map(|row| read_checkpoint(books.tenant(), row)).collect()
}

/// Whether a tenant has a charge.
pub(crate) async fn has_charge(books: &impl Scope, charge: ChargeId) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS found FROM charges WHERE tenant_id = $1 AND id = $2";
    Ok(one(books, sql, vec![books.tenant().0.into(), charge.0.into()]).await?.is_some())
}

/// A charge and its split.
#[derive(Debug, Clone)]
pub(crate) struct ChargeRow {
    pub(crate) id: ChargeId,
    pub(crate) obligation: Obligation,
    pub(crate) payer_tenant: TenantId,
    pub(crate) recipient: UserId,
    pub(crate) currency: String,
    pub(crate) minor_units: i64,
    pub(crate) operator_part: i64,
    pub(crate) recipient_part: i64,
    pub(crate) platform_part: i64,
}

/// The charges by their ids, those after `after`.
pub(crate) async fn charges(
    books: &impl Scope,
    after: Uuid,
    size: u64,
) -> Result<Vec<ChargeRow>, StoreError> {
    let sql = "SELECT id, chat_id, ordinal, payer_tenant_id, recipient_user_id, currency, \
               minor_units, operator_minor_units, recipient_minor_units, platform_minor_units \
               FROM charges WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let values = vec![books.tenant().0.into(), after.into(), signed(size).into()];
    let charge = |row: &QueryResult| {
        Ok(ChargeRow {
            id: ChargeId(row.try_get("", "id")?),
            obligation: Obligation {
                chat: ChatId(row.try_get("", "chat_id")?),
                ordinal: row.try_get("", "ordinal")?,
            },
            payer_tenant: TenantId(row.try_get("", "payer_tenant_id")?),
            recipient: UserId(row.try_get("", "recipient_user_id")?),
            currency: row.try_get("", "currency")?,
            minor_units: row.try_get("", "minor_units")?,
            operator_part: row.try_get("", "operator_minor_units")?,
            recipient_part: row.try_get("", "recipient_minor_units")?,
            platform_part: row.try_get("", "platform_minor_units")?,
        })
    };
    all(books, sql, values).await?.iter().map(charge).collect()
}
