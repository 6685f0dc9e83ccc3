//! Resets that were asked for.

use plasma_kit::ids::UserId;
use plasma_kit::{Scope, StoreError, SystemDb, TenantTx};
use sea_orm::{ConnectionTrait, QueryResult, Statement};

use super::devices::ACTIVE;
use super::{moment, statement};
use crate::delivery::DeviceKey;
use crate::domain::AccountReset;

/// The reset that was asked for last, whether or not it still stands.
pub(crate) async fn find(
    scope: &impl Scope,
    user: UserId,
) -> Result<Option<AccountReset>, StoreError> {
    let sql = "SELECT requested_at, effective_at, expires_at FROM account_resets \
               WHERE tenant_id = $1 AND user_id = $2";
    let values = [scope.tenant().0.into(), user.0.into()];
    let row = scope.conn().query_one_raw(statement(scope, sql, values)).await?;
    row.as_ref().map(read).transpose()
}

/// What an active device is to be told of a reset; the outer `None` where the device is not
/// active. One read by key.
pub(crate) async fn notice(
    db: &SystemDb,
    (tenant, device): DeviceKey,
) -> Result<Option<Option<AccountReset>>, StoreError> {
    let sql = "SELECT r.user_id, r.requested_at, r.effective_at, r.expires_at FROM devices d \
               LEFT JOIN account_resets r ON r.tenant_id = d.tenant_id AND r.user_id = d.user_id \
               WHERE d.tenant_id = $1 AND d.device_id = $2 AND d.state = $3";
    let values = [tenant.0.into(), device.0.into(), ACTIVE.into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let Some(row) = db.conn().query_one_raw(statement).await? else { return Ok(None) };
    let asked: Option<uuid::Uuid> = row.try_get("", "user_id")?;
    Ok(Some(asked.map(|_| read(&row)).transpose()?))
}

fn read(row: &QueryResult) -> Result<AccountReset, StoreError> {
    Ok(AccountReset {
        requested_at: moment(row, "requested_at")?,
        effective_at: moment(row, "effective_at")?,
        expires_at: moment(row, "expires_at")?,
    })
}

/// Keeps a reset in place of one that has expired. The account is locked.
pub(crate) async fn replace(
    tx: &TenantTx,
    user: UserId,
    reset: &AccountReset,
) -> Result<(), StoreError> {
    delete(tx, user).await?;
    let sql = "INSERT INTO account_resets \
               (tenant_id, user_id, requested_at, effective_at, expires_at) \
               VALUES ($1, $2, $3, $4, $5)";
    let values = [
        tx.tenant().0.into(),
        user.0.into(),
        reset.requested_at.0.into(),
        reset.effective_at.0.into(),
        reset.expires_at.0.into(),
    ];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    Ok(())
}

/// Ends a reset, carried out or cancelled; `false` where there was none.
pub(crate) async fn delete(tx: &TenantTx, user: UserId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM account_resets WHERE tenant_id = $1 AND user_id = $2";
    let values = [tx.tenant().0.into(), user.0.into()];
    Ok(tx.conn().execute_raw(statement(tx, sql, values)).await?.rows_affected() > 0)
}
