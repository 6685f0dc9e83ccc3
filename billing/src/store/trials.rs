//! Trials that payers had: one with each recipient.

use plasma_kit::db::{Scope, StoreError};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::UserId;

use super::{Write, one, write};
use crate::domain::pass::Party;

/// Whether a payer had a trial with a recipient of the tenant.
pub(crate) async fn had(
    books: &impl Scope,
    payer: Party,
    recipient: UserId,
) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM trials WHERE tenant_id = $1 AND recipient_user_id = $2 \
               AND payer_tenant_id = $3 AND payer_user_id = $4";
    let values = vec![
        books.tenant().0.into(),
        recipient.0.into(),
        payer.tenant.0.into(),
        payer.user.0.into(),
    ];
    Ok(one(books, sql, values).await?.is_some())
}

/// Takes the one trial that a payer has with a recipient of the tenant; `false` where it was taken.
pub(crate) async fn take(
    books: &impl Write,
    payer: Party,
    recipient: UserId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "INSERT INTO trials (tenant_id, recipient_user_id, payer_tenant_id, payer_user_id, \
               created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
    let values = vec![
        books.tenant().0.into(),
        recipient.0.into(),
        payer.tenant.0.into(),
        payer.user.0.into(),
        now.0.into(),
    ];
    Ok(write(books, sql, values).await? == 1)
}
