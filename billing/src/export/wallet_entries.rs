//! The movements of one wallet as rows.

use plasma_kit::db::StoreError;
use plasma_kit::ids::UserId;
use uuid::Uuid;

use super::{Export, PAGE, Page, Place, text};
use crate::store::wallets;
use crate::wire;

pub(super) const COLUMNS: &[&str] = &[
    "transaction_id",
    "kind",
    "reference",
    "currency",
    "amount_minor",
    "amount_major",
    "balance_after_minor",
    "balance_after_major",
    "time_utc",
    "time_local",
];

pub(super) async fn page(export: &Export, user: UserId, after: Place) -> Result<Page, StoreError> {
    let (version, _) = after;
    let found =
        wallets::entries_of_time(&export.books, user, export.currency, export.span, version, PAGE)
            .await?;
    let last = found.last().map(|entry| (entry.standing.version, Uuid::nil()));
    let rows = found.iter().map(|entry| {
        let mut row = vec![
            entry.transaction.to_string(),
            wire::kind_name(entry.kind),
            text(&entry.reference),
        ];
        row.extend(export.amount(entry.minor_units));
        row.extend(export.both(entry.standing.balance));
        row.extend(export.moments(entry.created_at));
        row
    });
    Ok(Page { rows: rows.collect(), last })
}
