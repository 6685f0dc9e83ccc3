//! The table `tenants`.

use std::time::Duration;

use plasma_kit::Zone;
use plasma_kit::db::{Scope, StoreError, SystemDb, TenantTx, expect_rows};
use plasma_kit::env::{Timestamp, micros};
use plasma_kit::ids::TenantId;
use plasma_kit::paging::Cursor;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};
use uuid::Uuid;

use super::{statement, unknown};
use crate::domain::link_base_url::LinkBaseUrl;
use crate::domain::tenant::{AccessMode, Policy, Tenant, TenantState};

const COLUMNS: &str = "tenant_id, display_name, link_base_url, access_mode, \
                       allow_other_platforms, operator_share_basis_points, state, created_at, \
                       account_reset_delay_micros, sandbox, time_zone";

/// Stores a new tenant. The transaction is the operator's: there was no tenant to hold.
pub async fn insert(tx: &TenantTx, tenant: &Tenant) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO tenants ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    );
    let values = [
        tenant.id.0.into(),
        tenant.display_name.as_str().into(),
        tenant.link_base_url.as_str().into(),
        tenant.policy.access_mode.to_row().into(),
        tenant.policy.allow_other_platforms.into(),
        share_to_row(tenant.operator_share_basis_points)?.into(),
        tenant.state.to_row().into(),
        tenant.create_time.0.into(),
        micros(tenant.policy.account_reset_delay).into(),
        tenant.sandbox.into(),
        tenant.time_zone.name().into(),
    ];
    let result = tx.conn().execute_raw(statement(tx.backend(), &sql, values)).await?;
    expect_rows("insert a tenant", 1, result.rows_affected())
}

/// Loads the scope's tenant.
pub async fn load<S: Scope>(scope: &S) -> Result<Option<Tenant>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM tenants WHERE tenant_id = $1");
    select(scope, &sql).await
}

/// Loads the scope's tenant and makes other changes of it, or of what is counted by it, wait for
/// this transaction. Inserts of its users do not wait.
pub async fn lock(tx: &TenantTx) -> Result<Option<Tenant>, StoreError> {
    // A writing transaction of SQLite is alone anyway.
    let lock = if tx.backend() == DbBackend::Postgres { " FOR NO KEY UPDATE" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM tenants WHERE tenant_id = $1{lock}");
    select(tx, &sql).await
}

/// Stores what of a tenant can change.
pub async fn save(tx: &TenantTx, tenant: &Tenant) -> Result<(), StoreError> {
    let sql = "UPDATE tenants SET display_name = $2, link_base_url = $3, access_mode = $4, \
               allow_other_platforms = $5, state = $6, account_reset_delay_micros = $7, time_zone = $8 \
               WHERE tenant_id = $1";
    let values = [
        tx.tenant().0.into(),
        tenant.display_name.as_str().into(),
        tenant.link_base_url.as_str().into(),
        tenant.policy.access_mode.to_row().into(),
        tenant.policy.allow_other_platforms.into(),
        tenant.state.to_row().into(),
        micros(tenant.policy.account_reset_delay).into(),
        tenant.time_zone.name().into(),
    ];
    let result = tx.conn().execute_raw(statement(tx.backend(), sql, values)).await?;
    expect_rows("save a tenant", 1, result.rows_affected())
}

/// Lists tenants, oldest first, after `cursor`. For the operator alone.
pub async fn list(
    db: &SystemDb,
    cursor: Option<Cursor>,
    limit: u64,
) -> Result<Vec<Tenant>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM tenants WHERE (created_at, tenant_id) > ($1, $2) \
         ORDER BY created_at, tenant_id LIMIT $3"
    );
    let after = cursor.unwrap_or(Cursor { key: i64::MIN, id: Uuid::nil() });
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [after.key.into(), after.id.into(), limit.into()];
    let rows = db.conn().query_all_raw(statement(db.backend(), &sql, values)).await?;
    rows.iter().map(read).collect()
}

async fn select<S: Scope>(scope: &S, sql: &str) -> Result<Option<Tenant>, StoreError> {
    let values = [scope.tenant().0.into()];
    let row = scope.conn().query_one_raw(statement(scope.backend(), sql, values)).await?;
    row.as_ref().map(read).transpose()
}

fn read(row: &QueryResult) -> Result<Tenant, StoreError> {
    let link_base_url: String = row.try_get("", "link_base_url")?;
    let access_mode = row.try_get("", "access_mode")?;
    let state = row.try_get("", "state")?;
    let delay: i64 = row.try_get("", "account_reset_delay_micros")?;
    let share: i32 = row.try_get("", "operator_share_basis_points")?;
    let time_zone: String = row.try_get("", "time_zone")?;
    Ok(Tenant {
        id: TenantId(row.try_get("", "tenant_id")?),
        display_name: row.try_get("", "display_name")?,
        link_base_url: LinkBaseUrl::parse(&link_base_url)
            .map_err(|error| StoreError::Inconsistent(format!("link_base_url: {error}")))?,
        policy: Policy {
            access_mode: AccessMode::from_row(access_mode)
                .ok_or_else(|| unknown("tenants.access_mode", access_mode))?,
            allow_other_platforms: row.try_get("", "allow_other_platforms")?,
            account_reset_delay: u64::try_from(delay)
                .map(Duration::from_micros)
                .map_err(|_| StoreError::Inconsistent(format!("a delay of {delay}")))?,
        },
        operator_share_basis_points: u32::try_from(share)
            .map_err(|_| StoreError::Inconsistent(format!("a share of {share}")))?,
        state: TenantState::from_row(state).ok_or_else(|| unknown("tenants.state", state))?,
        create_time: Timestamp(row.try_get("", "created_at")?),
        sandbox: row.try_get("", "sandbox")?,
        time_zone: Zone::parse(&time_zone)
            .ok_or_else(|| StoreError::Inconsistent(format!("the time zone {time_zone}")))?,
    })
}

fn share_to_row(basis_points: u32) -> Result<i32, StoreError> {
    i32::try_from(basis_points)
        .map_err(|_| StoreError::Inconsistent(format!("a share of {basis_points}")))
}
