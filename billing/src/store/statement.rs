//! A tenant's statement, derived from postings alone.

use sea_orm::QueryResult;
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::TenantId;

use super::all;
use crate::domain::money::Currency;

/// One line of a statement, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// The number of the accounts' purpose.
    pub(crate) purpose: i16,
    /// The other platform, for what is owed to it or by it.
    pub(crate) peer: Option<TenantId>,
    /// The sum of what was posted before.
    pub(crate) opening: i64,
    /// The sum of the postings above 0.
    pub(crate) posted_in: i64,
    /// The sum of the postings below 0.
    pub(crate) posted_out: i64,
}

/// Adds up what was posted before `start` and from then until before `end`. Users' accounts of a
/// purpose are added together. One statement, so that all lines are of the same moment.
pub(crate) async fn lines(
    books: &impl Scope,
    currency: Currency,
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Line>, StoreError> {
    let sql = "SELECT purpose, peer, \
               CAST(SUM(opening) AS BIGINT) AS opening, \
               CAST(SUM(posted_in) AS BIGINT) AS posted_in, \
               CAST(SUM(posted_out) AS BIGINT) AS posted_out \
               FROM (SELECT a.purpose, \
               CASE WHEN a.purpose IN (6, 7) THEN a.owner_id END AS peer, \
               CASE WHEN p.created_at < $3 THEN p.minor_units ELSE 0 END AS opening, \
               CASE WHEN p.created_at >= $3 AND p.minor_units > 0 THEN p.minor_units ELSE 0 END \
               AS posted_in, \
               CASE WHEN p.created_at >= $3 AND p.minor_units < 0 THEN p.minor_units ELSE 0 END \
               AS posted_out \
               FROM ledger_postings p JOIN ledger_accounts a \
               ON a.tenant_id = p.tenant_id AND a.id = p.account_id \
               WHERE p.tenant_id = $1 AND p.currency = $2 AND p.created_at < $4) AS posted \
               GROUP BY purpose, peer ORDER BY purpose, peer";
    let values =
        vec![books.tenant().0.into(), currency.code().into(), start.0.into(), end.0.into()];
    let line = |row: &QueryResult| {
        Ok(Line {
            purpose: row.try_get("", "purpose")?,
            peer: row.try_get::<Option<Uuid>>("", "peer")?.map(TenantId),
            opening: row.try_get("", "opening")?,
            posted_in: row.try_get("", "posted_in")?,
            posted_out: row.try_get("", "posted_out")?,
        })
    };
    all(books, sql, values).await?.iter().map(line).collect()
}
