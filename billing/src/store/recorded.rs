//! Transactions as they were recorded: the rows that are hashed, proved and verified.

use sea_orm::{QueryResult, Value};
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError};
use plasma_proof::{Header, Posting, Standing};

use super::{all, one};
use crate::domain::money::Currency;
use crate::time::Span;

/// A transaction with its postings, in the order of their lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) header: Header,
    pub(crate) postings: Vec<Posting>,
}

const HEADER: &str = "t.id, t.kind, t.external_id, t.reference, t.reverses_id, t.created_at";

const POSTING: &str = "p.transaction_id, p.line, p.account_id, p.currency, p.minor_units, \
                       p.balance_after, p.account_version, p.created_at";

/// Reads those of some transactions that are there, in the order of their ids.
pub(crate) async fn get(books: &impl Scope, ids: &[Uuid]) -> Result<Vec<Recorded>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<String> = (0..ids.len()).map(|n| format!("${}", n + 2)).collect();
    let list = list.join(", ");
    let values = |first: Value| std::iter::once(first).chain(ids.iter().map(|id| (*id).into()));
    let tenant = books.tenant().0;
    let sql = format!(
        "SELECT {HEADER} FROM ledger_transactions t WHERE t.tenant_id = $1 AND t.id IN ({list}) \
         ORDER BY t.id"
    );
    let headers = all(books, &sql, values(tenant.into()).collect()).await?;
    let sql = format!(
        "SELECT {POSTING} FROM ledger_postings p WHERE p.tenant_id = $1 \
         AND p.transaction_id IN ({list}) ORDER BY p.transaction_id, p.line"
    );
    let postings = all(books, &sql, values(tenant.into()).collect()).await?;
    join(tenant, &headers, &postings)
}

/// Reads some transactions by their ids, those after `after`.
pub(crate) async fn page(
    books: &impl Scope,
    after: Uuid,
    size: u64,
) -> Result<Vec<Recorded>, StoreError> {
    let sql = "SELECT id FROM ledger_transactions WHERE tenant_id = $1 AND id > $2 \
               ORDER BY id LIMIT $3";
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let rows = all(books, sql, vec![books.tenant().0.into(), after.into(), size.into()]).await?;
    let ids = rows.iter().map(|row| row.try_get("", "id")).collect::<Result<Vec<_>, _>>()?;
    get(books, &ids).await
}

/// Reads those of a time in a currency, oldest first, after a moment and an id: `size` at most.
pub(crate) async fn of_time(
    books: &impl Scope,
    currency: Currency,
    span: Span,
    after: Option<(i64, Uuid)>,
    size: u64,
) -> Result<Vec<Recorded>, StoreError> {
    // Every transaction has a first line.
    let sql = "SELECT transaction_id FROM ledger_postings \
               WHERE tenant_id = $1 AND currency = $2 AND created_at >= $3 AND created_at < $4 \
               AND line = 1 AND (created_at, transaction_id) > ($5, $6) \
               ORDER BY created_at, transaction_id LIMIT $7";
    let (time, id) = after.unwrap_or((i64::MIN, Uuid::nil()));
    let start = span.start.0.max(time);
    let values = vec![
        books.tenant().0.into(),
        currency.code().into(),
        start.into(),
        span.end.0.into(),
        time.into(),
        id.into(),
        i64::try_from(size).unwrap_or(i64::MAX).into(),
    ];
    let rows = all(books, sql, values).await?;
    let ids =
        rows.iter().map(|row| row.try_get("", "transaction_id")).collect::<Result<Vec<_>, _>>()?;
    let mut found = get(books, &ids).await?;
    found.sort_by_key(|one| (one.header.created_at, one.header.transaction));
    Ok(found)
}

/// Finds the transaction of a kind by its external id.
pub(crate) async fn find(
    books: &impl Scope,
    kind: i16,
    external_id: &str,
) -> Result<Option<Recorded>, StoreError> {
    let sql = "SELECT id FROM ledger_transactions \
               WHERE tenant_id = $1 AND kind = $2 AND external_id = $3";
    let values = vec![books.tenant().0.into(), kind.into(), external_id.into()];
    let Some(row) = one(books, sql, values).await? else { return Ok(None) };
    Ok(get(books, &[row.try_get("", "id")?]).await?.pop())
}

fn join(
    tenant: Uuid,
    headers: &[QueryResult],
    postings: &[QueryResult],
) -> Result<Vec<Recorded>, StoreError> {
    let mut postings = postings
        .iter()
        .map(|row| Ok((row.try_get("", "transaction_id")?, posting(row)?)))
        .collect::<Result<Vec<(Uuid, Posting)>, StoreError>>()?
        .into_iter()
        .peekable();
    let mut found = Vec::with_capacity(headers.len());
    for row in headers {
        let header = header(tenant, row)?;
        while postings.next_if(|(id, _)| *id < header.transaction).is_some() {}
        let mut own = Vec::new();
        while let Some((_, posting)) = postings.next_if(|(id, _)| *id == header.transaction) {
            own.push(posting);
        }
        found.push(Recorded { header, postings: own });
    }
    Ok(found)
}

fn header(tenant: Uuid, row: &QueryResult) -> Result<Header, StoreError> {
    Ok(Header {
        tenant,
        transaction: row.try_get("", "id")?,
        kind: row.try_get("", "kind")?,
        reverses: row.try_get("", "reverses_id")?,
        created_at: row.try_get("", "created_at")?,
        external_id: row.try_get("", "external_id")?,
        reference: row.try_get("", "reference")?,
    })
}

fn posting(row: &QueryResult) -> Result<Posting, StoreError> {
    let balance: Option<i64> = row.try_get("", "balance_after")?;
    let version: Option<i64> = row.try_get("", "account_version")?;
    Ok(Posting {
        line: row.try_get("", "line")?,
        account: row.try_get("", "account_id")?,
        currency: row.try_get("", "currency")?,
        minor_units: row.try_get("", "minor_units")?,
        standing: balance.zip(version).map(|(balance, version)| Standing { balance, version }),
        created_at: row.try_get("", "created_at")?,
    })
}
