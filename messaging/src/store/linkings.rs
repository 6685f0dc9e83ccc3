//! Linkings and the sealed messages that were left in them.

use plasma_kit::db::expect_rows;
use plasma_kit::ids::{DeviceId, LinkingId, UserId};
use plasma_kit::{Scope, StoreError, SystemDb, TenantTx, Timestamp};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::{moment, statement};
use crate::domain::Linking;

/// Opens a linking in place of the user's one before. The account is locked.
pub(crate) async fn replace(
    tx: &TenantTx,
    user: UserId,
    id: LinkingId,
    expires_at: Timestamp,
) -> Result<(), StoreError> {
    delete(tx, user).await?;
    let sql = "INSERT INTO linkings (tenant_id, user_id, linking_id, expires_at) \
               VALUES ($1, $2, $3, $4)";
    let values = [tx.tenant().0.into(), user.0.into(), id.0.into(), expires_at.0.into()];
    let result = tx.conn().execute_raw(statement(tx, sql, values)).await?;
    expect_rows("open a linking", 1, result.rows_affected())
}

/// Ends the user's linking.
pub(crate) async fn delete(tx: &TenantTx, user: UserId) -> Result<(), StoreError> {
    let sql = "DELETE FROM linkings WHERE tenant_id = $1 AND user_id = $2";
    let values = [tx.tenant().0.into(), user.0.into()];
    tx.conn().execute_raw(statement(tx, sql, values)).await?;
    Ok(())
}

/// Finds a linking of the user, with the message of one number.
pub(crate) async fn find(
    scope: &impl Scope,
    user: UserId,
    id: LinkingId,
    number: i32,
) -> Result<Option<Linking>, StoreError> {
    select(scope, user, id, number, "").await
}

/// As [`find`], and makes others who would change the linking wait until the transaction ends.
pub(crate) async fn lock(
    tx: &TenantTx,
    user: UserId,
    id: LinkingId,
    number: i32,
) -> Result<Option<Linking>, StoreError> {
    // SQLite has one writer at a time anyway.
    let lock = if tx.backend() == DbBackend::Postgres { " FOR UPDATE" } else { "" };
    select(tx, user, id, number, lock).await
}

async fn select(
    scope: &impl Scope,
    user: UserId,
    id: LinkingId,
    number: i32,
    lock: &str,
) -> Result<Option<Linking>, StoreError> {
    let column = column(number)?;
    let sql = format!(
        "SELECT expires_at, taken_by, {column} AS message, CASE \
         WHEN message_3 IS NOT NULL THEN 3 WHEN message_2 IS NOT NULL THEN 2 \
         WHEN message_1 IS NOT NULL THEN 1 ELSE 0 END AS last \
         FROM linkings WHERE tenant_id = $1 AND linking_id = $2 AND user_id = $3{lock}"
    );
    let values = [scope.tenant().0.into(), id.0.into(), user.0.into()];
    let row = scope.conn().query_one_raw(statement(scope, &sql, values)).await?;
    row.map(|row| {
        let taken_by: Option<uuid::Uuid> = row.try_get("", "taken_by")?;
        Ok(Linking {
            expires_at: moment(&row, "expires_at")?,
            taken_by: taken_by.map(DeviceId),
            last: row.try_get("", "last")?,
            message: row.try_get("", "message")?,
        })
    })
    .transpose()
}

/// Keeps a message; the first one takes the linking for `taken_by`. The linking is locked.
pub(crate) async fn keep(
    tx: &TenantTx,
    id: LinkingId,
    number: i32,
    ciphertext: &[u8],
    taken_by: Option<DeviceId>,
) -> Result<(), StoreError> {
    let column = column(number)?;
    let sql = format!(
        "UPDATE linkings SET {column} = $1, taken_by = COALESCE(taken_by, $2) \
         WHERE tenant_id = $3 AND linking_id = $4 AND {column} IS NULL"
    );
    let values = [
        ciphertext.to_vec().into(),
        taken_by.map(|device| device.0).into(),
        tx.tenant().0.into(),
        id.0.into(),
    ];
    let result = tx.conn().execute_raw(statement(tx, &sql, values)).await?;
    expect_rows("keep a message of a linking", 1, result.rows_affected())
}

/// Deletes linkings that ended before `before`.
pub(crate) async fn sweep(db: &SystemDb, before: Timestamp) -> Result<u64, StoreError> {
    let tx = db.begin().await?;
    let sql = "DELETE FROM linkings WHERE expires_at < $1";
    let statement = Statement::from_sql_and_values(db.backend(), sql, [before.0.into()]);
    let deleted = tx.conn().execute_raw(statement).await?.rows_affected();
    tx.commit().await?;
    Ok(deleted)
}

/// The column of a message; its number has been checked by the codec.
fn column(number: i32) -> Result<&'static str, StoreError> {
    match number {
        1 => Ok("message_1"),
        2 => Ok("message_2"),
        3 => Ok("message_3"),
        _ => Err(StoreError::Inconsistent(format!("message {number} of a linking"))),
    }
}
