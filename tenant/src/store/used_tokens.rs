//! The table `used_tokens`: which platform tokens have been presented, for as long as they could
//! be presented again.

use std::time::Duration;

use plasma_kit::db::{Scope, StoreError, SystemDb, TenantTx};
use plasma_kit::env::Timestamp;
use sea_orm::ConnectionTrait;

use super::statement;
use crate::domain::examination::{LEEWAY, Voucher};
use crate::domain::token::Presented;

/// How much longer than needed a row is kept, for nodes whose clocks disagree.
const MARGIN: Duration = Duration::from_mins(10);

/// Uses a token up; `false` where it was used before. A parallel presentation of the same token
/// waits for this transaction.
pub async fn use_up(tx: &TenantTx, voucher: &Voucher) -> Result<bool, StoreError> {
    let sql = "INSERT INTO used_tokens (tenant_id, jti_hash, expires_at) VALUES ($1, $2, $3) \
               ON CONFLICT DO NOTHING";
    let presented = voucher.presented();
    let values = [
        tx.tenant().0.into(),
        presented.token_hash.to_vec().into(),
        presented.expire_time.plus(LEEWAY).0.into(),
    ];
    let result = tx.conn().execute_raw(statement(tx.backend(), sql, values)).await?;
    Ok(result.rows_affected() == 1)
}

/// Whether a token was used before.
pub async fn is_used<S: Scope>(scope: &S, presented: &Presented) -> Result<bool, StoreError> {
    let sql = "SELECT 1 AS used FROM used_tokens WHERE tenant_id = $1 AND jti_hash = $2";
    let values = [scope.tenant().0.into(), presented.token_hash.to_vec().into()];
    let row = scope.conn().query_one_raw(statement(scope.backend(), sql, values)).await?;
    Ok(row.is_some())
}

/// Deletes what can no longer be presented.
pub async fn prune(db: &SystemDb, now: Timestamp) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let sql = "DELETE FROM used_tokens WHERE expires_at < $1";
    let values = [now.minus(MARGIN).0.into()];
    let deleted = tx.conn().execute_raw(statement(db.backend(), sql, values)).await?;
    tx.commit().await?;
    Ok(deleted.rows_affected())
}
