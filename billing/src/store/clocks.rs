//! The clocks of sandboxes, and who moves them.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement};
use uuid::Uuid;

use plasma_kit::db::{Scope, StoreError, SystemDb, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::TenantId;

use super::{Write, one, write};
use crate::domain::clock::Clock;

/// The clock of the scope's tenant.
pub(crate) async fn get(scope: &impl Scope) -> Result<Clock, StoreError> {
    let sql = "SELECT offset_micros, floor_at, target_at FROM test_clocks WHERE tenant_id = $1";
    let row = one(scope, sql, vec![scope.tenant().0.into()]).await?;
    row.map_or(Ok(Clock::REAL), |row| clock(&row))
}

/// The same, and makes other calls that would set it wait for this transaction.
pub(crate) async fn lock(scope: &impl Write) -> Result<Clock, StoreError> {
    // A row that is not there cannot be locked.
    let sql = "INSERT INTO test_clocks \
               (tenant_id, offset_micros, floor_at, target_at, holder, leased_until) \
               VALUES ($1, $2, $3, NULL, $4, 0) ON CONFLICT DO NOTHING";
    let Clock { offset, floor, .. } = Clock::REAL;
    let values = vec![scope.tenant().0.into(), offset.into(), floor.0.into(), Uuid::nil().into()];
    write(scope, sql, values).await?;
    // A writing transaction of SQLite is alone anyway.
    let lock = if scope.backend() == DbBackend::Postgres { " FOR UPDATE" } else { "" };
    let sql = format!(
        "SELECT offset_micros, floor_at, target_at FROM test_clocks WHERE tenant_id = $1{lock}"
    );
    let row = one(scope, &sql, vec![scope.tenant().0.into()]).await?;
    clock(&row.ok_or_else(|| StoreError::Inconsistent("a clock is gone".to_owned()))?)
}

/// Sets a clock that is locked. Whoever held it holds it no longer.
pub(crate) async fn set(scope: &impl Write, clock: Clock) -> Result<(), StoreError> {
    let sql = "UPDATE test_clocks SET offset_micros = $2, floor_at = $3, target_at = $4, \
               holder = $5, leased_until = 0 WHERE tenant_id = $1";
    let values = vec![
        scope.tenant().0.into(),
        clock.offset.into(),
        clock.floor.0.into(),
        clock.target.map(|target| target.0).into(),
        Uuid::nil().into(),
    ];
    expect_rows("set a clock", 1, write(scope, sql, values).await?)
}

/// The right to move a clock until the lease ends. Another holder's is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Whose clock.
    pub(crate) tenant: TenantId,
    /// Names this hold.
    pub(crate) holder: Uuid,
}

/// The tenants whose clocks move and are in nobody's hold.
pub(crate) async fn unheld(
    db: &SystemDb,
    now: Timestamp,
    size: usize,
) -> Result<Vec<TenantId>, StoreError> {
    let sql = "SELECT tenant_id FROM test_clocks WHERE target_at > 0 AND leased_until <= $1 \
               ORDER BY target_at LIMIT $2";
    let values = [now.0.into(), i64::try_from(size).unwrap_or(i64::MAX).into()];
    let statement = Statement::from_sql_and_values(db.backend(), sql, values);
    let rows = db.conn().query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(TenantId(row.try_get("", "tenant_id")?))).collect()
}

/// Takes a clock that moves into a new hold until `lease_end`. `false` where it moves no longer or
/// is held.
pub(crate) async fn take(
    scope: &impl Write,
    holder: Uuid,
    (now, lease_end): (Timestamp, Timestamp),
) -> Result<bool, StoreError> {
    let sql = "UPDATE test_clocks SET holder = $2, leased_until = $3 \
               WHERE tenant_id = $1 AND target_at IS NOT NULL AND leased_until <= $4";
    let values = vec![scope.tenant().0.into(), holder.into(), lease_end.0.into(), now.0.into()];
    Ok(write(scope, sql, values).await? == 1)
}

/// Sets what a held clock shows, and holds it until `lease_end`. `false` where another holds it.
pub(crate) async fn step(
    scope: &impl Write,
    hold: Hold,
    to: Timestamp,
    lease_end: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE test_clocks SET floor_at = $3, leased_until = $4 \
               WHERE tenant_id = $1 AND holder = $2 AND floor_at <= $3 AND target_at >= $3";
    let values = vec![hold.tenant.0.into(), hold.holder.into(), to.0.into(), lease_end.0.into()];
    Ok(write(scope, sql, values).await? == 1)
}

/// Whether the clock is still in this hold, which is then extended to `lease_end`.
pub(crate) async fn extend(
    scope: &impl Write,
    hold: Hold,
    lease_end: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE test_clocks SET leased_until = $3 WHERE tenant_id = $1 AND holder = $2";
    let values = vec![hold.tenant.0.into(), hold.holder.into(), lease_end.0.into()];
    Ok(write(scope, sql, values).await? == 1)
}

fn clock(row: &QueryResult) -> Result<Clock, StoreError> {
    Ok(Clock {
        offset: row.try_get("", "offset_micros")?,
        floor: Timestamp(row.try_get("", "floor_at")?),
        target: row.try_get::<Option<i64>>("", "target_at")?.map(Timestamp),
    })
}
