//! Postings as rows: the lines behind a statement.

use plasma_kit::Timestamp;
use plasma_kit::db::StoreError;
use plasma_kit::ids::TransactionId;
use uuid::Uuid;

use super::{Export, PAGE, Page, Place, text};
use crate::store::audit;
use crate::store::recorded;
use crate::wire;

pub(super) const COLUMNS: &[&str] = &[
    "transaction_id",
    "kind",
    "reference",
    "line",
    "account",
    "user_id",
    "peer_tenant_id",
    "currency",
    "amount_minor",
    "amount_major",
    "time_utc",
    "time_local",
];

pub(super) async fn page(export: &Export, after: Place) -> Result<Page, StoreError> {
    let (books, currency) = (&export.books, export.currency);
    let found = recorded::of_time(books, currency, export.span, Some(after), PAGE).await?;
    let last = found.last().map(|one| (one.header.created_at, one.header.transaction));
    let mut used: Vec<Uuid> =
        found.iter().flat_map(|one| &one.postings).map(|posting| posting.account).collect();
    used.sort_unstable();
    used.dedup();
    let accounts = audit::accounts(books, &used).await?;
    let mut rows = Vec::new();
    for one in &found {
        for posting in &one.postings {
            let written = accounts
                .get(&posting.account)
                .map(|account| wire::ledger_posting(account, posting.minor_units))
                .unwrap_or_default();
            let mut row = vec![
                TransactionId(one.header.transaction).to_string(),
                wire::kind_name(one.header.kind),
                text(&one.header.reference),
                posting.line.to_string(),
                wire::purpose_name(written.purpose()),
                written.user_id,
                written.peer_tenant_id,
            ];
            row.extend(export.amount(posting.minor_units));
            row.extend(export.moments(Timestamp(posting.created_at)));
            rows.push(row);
        }
    }
    Ok(Page { rows, last })
}
