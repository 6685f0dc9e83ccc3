//! The table `identity_providers`.

use plasma_kit::db::{Scope, StoreError, TenantTx, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::IdentityProviderId;
use sea_orm::{ConnectionTrait, QueryResult};

use super::statement;
use crate::domain::identity_provider::IdentityProvider;
use crate::domain::key_set::KeySet;

/// Stores a new provider.
pub async fn insert(tx: &TenantTx, provider: &IdentityProvider) -> Result<(), StoreError> {
    let sql = "INSERT INTO identity_providers \
               (tenant_id, id, issuer, audience, jwks_json, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    let values = [
        tx.tenant().0.into(),
        provider.id.0.into(),
        provider.issuer.as_str().into(),
        provider.audience.as_str().into(),
        provider.keys.to_json().into(),
        provider.create_time.0.into(),
    ];
    let result = tx.conn().execute_raw(statement(tx.backend(), sql, values)).await?;
    expect_rows("insert an identity provider", 1, result.rows_affected())
}

/// Lists the tenant's providers, oldest first.
pub async fn list<S: Scope>(scope: &S) -> Result<Vec<IdentityProvider>, StoreError> {
    let sql = "SELECT id, issuer, audience, jwks_json, created_at FROM identity_providers \
               WHERE tenant_id = $1 ORDER BY created_at, id";
    let values = [scope.tenant().0.into()];
    let rows = scope.conn().query_all_raw(statement(scope.backend(), sql, values)).await?;
    rows.iter().map(read).collect()
}

/// Deletes a provider; `false` where there is none.
pub async fn delete(tx: &TenantTx, id: IdentityProviderId) -> Result<bool, StoreError> {
    let sql = "DELETE FROM identity_providers WHERE tenant_id = $1 AND id = $2";
    let values = [tx.tenant().0.into(), id.0.into()];
    let result = tx.conn().execute_raw(statement(tx.backend(), sql, values)).await?;
    Ok(result.rows_affected() == 1)
}

fn read(row: &QueryResult) -> Result<IdentityProvider, StoreError> {
    let jwks_json: String = row.try_get("", "jwks_json")?;
    Ok(IdentityProvider {
        id: IdentityProviderId(row.try_get("", "id")?),
        issuer: row.try_get("", "issuer")?,
        audience: row.try_get("", "audience")?,
        keys: KeySet::parse(&jwks_json)
            .map_err(|error| StoreError::Inconsistent(format!("jwks_json: {error}")))?,
        create_time: Timestamp(row.try_get("", "created_at")?),
    })
}
