//! The table `api_keys`.

use plasma_kit::actor::KeyActor;
use plasma_kit::db::{Scope, StoreError, SystemDb, TenantTx, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::{ApiKeyId, TenantId};
use plasma_kit::paging::Cursor;
use sea_orm::{ConnectionTrait, QueryResult};
use uuid::Uuid;

use super::{statement, unknown};
use crate::domain::api_key::{ApiKey, Scopes, SecretHash};
use crate::domain::tenant::TenantState;

const COLUMNS: &str = "id, secret_prefix, label, scopes, created_at, revoked_at";

/// What a secret leads to.
#[derive(Debug, Clone, Copy)]
pub struct Credential {
    /// The key and its tenant.
    pub actor: KeyActor,
    /// Whether the tenant may be used.
    pub tenant_state: TenantState,
}

/// Finds the active key of a secret. The one look-up without a tenant: the secret is what says
/// which tenant the caller belongs to.
pub async fn authenticate(
    db: &SystemDb,
    secret: SecretHash,
) -> Result<Option<Credential>, StoreError> {
    let sql = "SELECT k.tenant_id, k.id, k.scopes, t.state FROM api_keys k \
               JOIN tenants t ON t.tenant_id = k.tenant_id \
               WHERE k.secret_hash = $1 AND k.revoked_at IS NULL";
    let values = [secret.0.to_vec().into()];
    let row = db.conn().query_one_raw(statement(db.backend(), sql, values)).await?;
    let Some(row) = row else { return Ok(None) };
    let scopes = Scopes::from_row(row.try_get("", "scopes")?);
    let state = row.try_get("", "state")?;
    Ok(Some(Credential {
        actor: KeyActor {
            tenant: TenantId(row.try_get("", "tenant_id")?),
            key: ApiKeyId(row.try_get("", "id")?),
            admin: scopes.admin,
            backend: scopes.backend,
        },
        tenant_state: TenantState::from_row(state)
            .ok_or_else(|| unknown("tenants.state", state))?,
    }))
}

/// Stores a new key with the hash of its secret.
pub async fn insert(tx: &TenantTx, key: &ApiKey, secret: SecretHash) -> Result<(), StoreError> {
    let sql = "INSERT INTO api_keys \
               (tenant_id, id, secret_hash, secret_prefix, label, scopes, created_at, revoked_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = [
        tx.tenant().0.into(),
        key.id.0.into(),
        secret.0.to_vec().into(),
        key.secret_prefix.as_str().into(),
        key.label.as_str().into(),
        key.scopes.to_row().into(),
        key.create_time.0.into(),
        key.revoke_time.map(|time| time.0).into(),
    ];
    let result = tx.conn().execute_raw(statement(tx.backend(), sql, values)).await?;
    expect_rows("insert an API key", 1, result.rows_affected())
}

/// Counts the tenant's active keys.
pub async fn count_active(tx: &TenantTx) -> Result<u64, StoreError> {
    let sql = "SELECT COUNT(*) AS active FROM api_keys \
               WHERE tenant_id = $1 AND revoked_at IS NULL";
    let values = [tx.tenant().0.into()];
    let row = tx.conn().query_one_raw(statement(tx.backend(), sql, values)).await?;
    let active: i64 = row.map_or(Ok(0), |row| row.try_get("", "active"))?;
    Ok(u64::try_from(active).unwrap_or_default())
}

/// Loads a key.
pub async fn load<S: Scope>(scope: &S, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE tenant_id = $1 AND id = $2");
    let values = [scope.tenant().0.into(), id.0.into()];
    let row = scope.conn().query_one_raw(statement(scope.backend(), &sql, values)).await?;
    row.as_ref().map(read).transpose()
}

/// Revokes an active key.
pub async fn revoke(tx: &TenantTx, id: ApiKeyId, now: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE api_keys SET revoked_at = $3 \
               WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL";
    let values = [tx.tenant().0.into(), id.0.into(), now.0.into()];
    let result = tx.conn().execute_raw(statement(tx.backend(), sql, values)).await?;
    expect_rows("revoke an API key", 1, result.rows_affected())
}

/// Lists the tenant's keys, oldest first, after `cursor`.
pub async fn list<S: Scope>(
    scope: &S,
    cursor: Option<Cursor>,
    limit: u64,
) -> Result<Vec<ApiKey>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM api_keys WHERE tenant_id = $1 AND (created_at, id) > ($2, $3) \
         ORDER BY created_at, id LIMIT $4"
    );
    let after = cursor.unwrap_or(Cursor { key: i64::MIN, id: Uuid::nil() });
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let values = [scope.tenant().0.into(), after.key.into(), after.id.into(), limit.into()];
    let rows = scope.conn().query_all_raw(statement(scope.backend(), &sql, values)).await?;
    rows.iter().map(read).collect()
}

fn read(row: &QueryResult) -> Result<ApiKey, StoreError> {
    let revoked_at: Option<i64> = row.try_get("", "revoked_at")?;
    Ok(ApiKey {
        id: ApiKeyId(row.try_get("", "id")?),
        secret_prefix: row.try_get("", "secret_prefix")?,
        label: row.try_get("", "label")?,
        scopes: Scopes::from_row(row.try_get("", "scopes")?),
        create_time: Timestamp(row.try_get("", "created_at")?),
        revoke_time: revoked_at.map(Timestamp),
    })
}
