//! Accounts, transactions and postings.

use sea_orm::Value;

use plasma_kit::db::{Scope, StoreError, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::TransactionId;

use super::{Write, one, placeholders, write};
use crate::domain::ledger::{Account, Kind, Posting, Standing, Transaction};
use crate::domain::money::Currency;

/// Makes the accounts that are not there yet.
///
/// In the order of their ids: two transactions that make the same accounts wait for each other,
/// never in a circle.
pub(crate) async fn ensure_accounts(
    books: &impl Write,
    currency: Currency,
    accounts: impl Iterator<Item = Account>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let tenant = books.tenant();
    let mut rows: Vec<_> =
        accounts.map(|account| (account.id(tenant, currency), account)).collect();
    rows.sort_by_key(|(id, _)| *id);
    rows.dedup_by_key(|(id, _)| *id);
    let sql = format!(
        "INSERT INTO ledger_accounts (tenant_id, id, purpose, owner_id, currency, created_at) \
         VALUES {} ON CONFLICT DO NOTHING",
        placeholders(rows.len(), 6)
    );
    let values = rows.into_iter().flat_map(|(id, account)| -> [Value; 6] {
        [
            tenant.0.into(),
            id.into(),
            account.purpose().into(),
            account.owner().into(),
            currency.code().into(),
            now.0.into(),
        ]
    });
    write(books, &sql, values.collect()).await?;
    Ok(())
}

/// Writes a transaction and its postings, and makes the accounts that are not there yet. A
/// transaction of the same kind and external id is a [`StoreError::Conflict`].
pub(crate) async fn post(books: &impl Write, transaction: &Transaction) -> Result<(), StoreError> {
    let (tenant, header) = (books.tenant(), transaction.header());
    let (currency, postings) = (transaction.currency(), transaction.postings());
    let accounts = postings.iter().map(Posting::account);
    ensure_accounts(books, currency, accounts, header.created_at).await?;
    let sql = "INSERT INTO ledger_transactions \
               (tenant_id, id, kind, external_id, reference, reverses_id, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values = vec![
        tenant.0.into(),
        header.id.0.into(),
        header.kind.number().into(),
        header.external_id.clone().into(),
        header.reference.clone().into(),
        header.reverses.map(|reversed| reversed.0).into(),
        header.created_at.0.into(),
    ];
    expect_rows("write a transaction", 1, write(books, sql, values).await?)?;
    // What the folder is to link into the tenant's history: committed with the transaction.
    let sql = "INSERT INTO ledger_unfolded (tenant_id, transaction_id, created_at) \
               VALUES ($1, $2, $3)";
    let values = vec![tenant.0.into(), header.id.0.into(), header.created_at.0.into()];
    expect_rows("leave a transaction to the folder", 1, write(books, sql, values).await?)?;
    let sql = format!(
        "INSERT INTO ledger_postings (tenant_id, transaction_id, line, account_id, currency, \
         minor_units, balance_after, account_version, created_at) VALUES {}",
        placeholders(postings.len(), 9)
    );
    let values = (1_i16..).zip(postings).flat_map(|(line, posting)| -> [Value; 9] {
        [
            tenant.0.into(),
            header.id.0.into(),
            line.into(),
            posting.account().id(tenant, currency).into(),
            currency.code().into(),
            posting.minor_units().into(),
            posting.standing().map(|standing| standing.balance).into(),
            posting.standing().map(|standing| standing.version).into(),
            header.created_at.0.into(),
        ]
    });
    let written = write(books, &sql, values.collect()).await?;
    expect_rows("write postings", postings.len() as u64, written)
}

/// A movement of a wallet, as it was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Movement {
    /// The transaction.
    pub(crate) transaction: TransactionId,
    /// Signed minor units.
    pub(crate) minor_units: i64,
    /// What the wallet held after it.
    pub(crate) standing: Standing,
    /// The transaction's reference.
    pub(crate) reference: String,
}

/// What a transaction of the tenant moved in a wallet, or `None` where there is no transaction of
/// that kind and external id. One that moved another wallet answers with `Some(None)`.
pub(crate) async fn movement(
    books: &impl Scope,
    kind: Kind,
    external_id: &str,
    wallet: Account,
    currency: Currency,
) -> Result<Option<Option<Movement>>, StoreError> {
    let sql = "SELECT t.id, t.reference, p.minor_units, p.balance_after, p.account_version \
               FROM ledger_transactions t LEFT JOIN ledger_postings p \
               ON p.tenant_id = t.tenant_id AND p.transaction_id = t.id AND p.account_id = $4 \
               WHERE t.tenant_id = $1 AND t.kind = $2 AND t.external_id = $3";
    let values = vec![
        books.tenant().0.into(),
        kind.number().into(),
        external_id.into(),
        wallet.id(books.tenant(), currency).into(),
    ];
    let Some(row) = one(books, sql, values).await? else { return Ok(None) };
    let Some(minor_units) = row.try_get::<Option<i64>>("", "minor_units")? else {
        return Ok(Some(None));
    };
    Ok(Some(Some(Movement {
        transaction: TransactionId(row.try_get("", "id")?),
        minor_units,
        standing: Standing {
            balance: row.try_get("", "balance_after")?,
            version: row.try_get("", "account_version")?,
        },
        reference: row.try_get("", "reference")?,
    })))
}

/// The transaction of a kind and external id in the tenant's books.
pub(crate) async fn find(
    books: &impl Scope,
    kind: Kind,
    external_id: &str,
) -> Result<Option<TransactionId>, StoreError> {
    let sql = "SELECT id FROM ledger_transactions \
               WHERE tenant_id = $1 AND kind = $2 AND external_id = $3";
    let values = vec![books.tenant().0.into(), kind.number().into(), external_id.into()];
    let row = one(books, sql, values).await?;
    Ok(row.map(|row| row.try_get("", "id")).transpose()?.map(TransactionId))
}
