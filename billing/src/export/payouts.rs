//! Payouts as rows.

use plasma_kit::db::StoreError;

use super::{Export, PAGE, Page, Place, text};
use crate::store::payouts;

pub(super) const COLUMNS: &[&str] = &[
    "payout_id",
    "recipient_user_id",
    "reference",
    "transaction_id",
    "currency",
    "amount_minor",
    "amount_major",
    "time_utc",
    "time_local",
];

pub(super) async fn page(export: &Export, after: Place) -> Result<Page, StoreError> {
    let found = payouts::of_time(&export.books, export.currency, export.span, after, PAGE).await?;
    let last = found.last().map(|payout| (payout.created_at.0, payout.id.0));
    let rows = found.iter().map(|payout| {
        let mut row = vec![
            payout.id.to_string(),
            payout.recipient.to_string(),
            text(&payout.reference),
            payout.transaction.to_string(),
        ];
        row.extend(export.amount(payout.money.minor_units()));
        row.extend(export.moments(payout.created_at));
        row
    });
    Ok(Page { rows: rows.collect(), last })
}
