//! Charges as rows.

use plasma_kit::db::StoreError;

use super::{Export, PAGE, Page, Place};
use crate::store::charges;

pub(super) const COLUMNS: &[&str] = &[
    "charge_id",
    "chat_id",
    "price_id",
    "payer_tenant_id",
    "payer_user_id",
    "recipient_user_id",
    "currency",
    "amount_minor",
    "amount_major",
    "operator_minor",
    "operator_major",
    "recipient_minor",
    "recipient_major",
    "platform_minor",
    "platform_major",
    "time_utc",
    "time_local",
];

pub(super) async fn page(export: &Export, after: Place) -> Result<Page, StoreError> {
    let found = charges::of_time(&export.books, export.currency, export.span, after, PAGE).await?;
    let last = found.last().map(|charge| (charge.created_at.0, charge.id.0));
    let rows = found.iter().map(|charge| {
        let mut row = vec![
            charge.id.to_string(),
            charge.chat.to_string(),
            charge.price.to_string(),
            charge.payer_tenant.to_string(),
            charge.payer_user.to_string(),
            charge.recipient_user.to_string(),
        ];
        row.extend(export.amount(charge.minor_units));
        for part in [charge.operator, charge.recipient, charge.platform] {
            row.extend(export.both(part));
        }
        row.extend(export.moments(charge.created_at));
        row
    });
    Ok(Page { rows: rows.collect(), last })
}
