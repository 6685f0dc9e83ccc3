//! Recovery kits: opaque to the service but for who signed them.

use plasma_kit::ids::UserId;
use plasma_kit::{Scope, StoreError, TenantTx, Timestamp};
use sea_orm::ConnectionTrait;

use super::statement;

/// The user's kit.
pub(crate) async fn find(scope: &impl Scope, user: UserId) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT kit FROM recovery_kits WHERE tenant_id = $1 AND user_id = $2";
    let values = [scope.tenant().0.into(), user.0.into()];
    let row = scope.conn().query_one_raw(statement(scope, sql, values)).await?;
    Ok(row.map(|row| row.try_get("", "kit")).transpose()?)
}

/// Keeps a kit in place of the one before.
pub(crate) async fn replace(
    tx: &TenantTx,
    user: UserId,
    kit: &[u8],
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO recovery_kits (tenant_id, user_id, kit, created_at) \
               VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, user_id) \
               DO UPDATE SET kit = excluded.kit, created_at = excluded.created_at";
    let values = [tx.tenant().0.into(), user.0.into(), kit.to_vec().into(), now.0.into()];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    Ok(())
}

/// Erases the user's kit.
pub(crate) async fn delete(tx: &TenantTx, user: UserId) -> Result<(), StoreError> {
    let sql = "DELETE FROM recovery_kits WHERE tenant_id = $1 AND user_id = $2";
    let values = [tx.tenant().0.into(), user.0.into()];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    Ok(())
}
