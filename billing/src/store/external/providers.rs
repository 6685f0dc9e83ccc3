//! Where tenants' own wallets are, and the sealed secrets to call them with.

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use zeroize::Zeroizing;

use plasma_kit::SystemDb;
use plasma_kit::db::{Scope, StoreError, expect_rows};
use plasma_kit::env::Timestamp;
use plasma_kit::ids::TenantId;
use plasma_kit::secrets::Secrets;

use super::super::{Write, one, write};

const LABEL: &str = "wallet-provider-secret";

/// How to call a tenant's wallet.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) url: String,
    pub(crate) secret: Zeroizing<String>,
    pub(crate) concurrency_max: u32,
    pub(crate) updated_at: Timestamp,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.url)
    }
}

/// Loads the tenant's provider.
pub(crate) async fn load(
    scope: &impl Scope,
    secrets: &Secrets,
) -> Result<Option<Provider>, StoreError> {
    let sql = "SELECT url, secret_sealed, concurrency_max, updated_at FROM wallet_providers \
               WHERE tenant_id = $1";
    let Some(row) = one(scope, sql, vec![scope.tenant().0.into()]).await? else {
        return Ok(None);
    };
    let sealed: Vec<u8> = row.try_get("", "secret_sealed")?;
    let opened = secrets
        .open(LABEL, &context(scope.tenant()), &sealed)
        .map_err(|error| StoreError::Inconsistent(error.to_string()))?;
    let secret = String::from_utf8(opened)
        .map_err(|_| StoreError::Inconsistent("a provider's secret is no text".to_owned()))?;
    let concurrency: i32 = row.try_get("", "concurrency_max")?;
    Ok(Some(Provider {
        url: row.try_get("", "url")?,
        secret: Zeroizing::new(secret),
        concurrency_max: concurrency.unsigned_abs(),
        updated_at: Timestamp(row.try_get("", "updated_at")?),
    }))
}

/// Keeps the tenant's row as it is until the transaction ends, so that a provider is not removed
/// while an operation begins. `exclusively` for who changes it. `None` where there is no provider,
/// its address otherwise.
pub(crate) async fn lock(
    scope: &impl Write,
    exclusively: bool,
) -> Result<Option<String>, StoreError> {
    // SQLite has one writer, and drops the clause.
    let lock = match (scope.backend(), exclusively) {
        (DbBackend::Postgres, true) => "FOR UPDATE",
        (DbBackend::Postgres, false) => "FOR SHARE",
        _ => "",
    };
    let sql = format!("SELECT url FROM wallet_providers WHERE tenant_id = $1 {lock}");
    let row = one(scope, &sql, vec![scope.tenant().0.into()]).await?;
    row.map(|row| Ok(row.try_get("", "url")?)).transpose()
}

/// Sets the tenant's provider.
pub(crate) async fn save(
    scope: &impl Write,
    secrets: &Secrets,
    provider: &Provider,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO wallet_providers \
               (tenant_id, url, secret_sealed, concurrency_max, updated_at) \
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id) DO UPDATE SET \
               url = $2, secret_sealed = $3, concurrency_max = $4, updated_at = $5";
    let sealed = secrets.seal(LABEL, &context(scope.tenant()), provider.secret.as_bytes());
    let values = vec![
        scope.tenant().0.into(),
        provider.url.clone().into(),
        sealed.into(),
        i32::try_from(provider.concurrency_max).unwrap_or(i32::MAX).into(),
        provider.updated_at.0.into(),
    ];
    expect_rows("set a wallet provider", 1, write(scope, sql, values).await?)
}

/// Removes the tenant's provider.
pub(crate) async fn remove(scope: &impl Write) -> Result<(), StoreError> {
    let sql = "DELETE FROM wallet_providers WHERE tenant_id = $1";
    let removed = write(scope, sql, vec![scope.tenant().0.into()]).await?;
    expect_rows("remove a wallet provider", 1, removed)
}

/// What a sealed secret is bound to: it opens for its own tenant only.
fn context(tenant: TenantId) -> Vec<u8> {
    tenant.0.as_bytes().to_vec()
}

/// Tenants with a provider of which a day was not asked for.
pub(crate) async fn without_day(
    db: &SystemDb,
    day: Timestamp,
) -> Result<Vec<TenantId>, StoreError> {
    let sql = "SELECT tenant_id FROM wallet_providers p WHERE NOT EXISTS \
               (SELECT 1 FROM external_reconciliations r \
               WHERE r.tenant_id = p.tenant_id AND r.day = $1)";
    let statement = Statement::from_sql_and_values(db.backend(), sql, [day.0.into()]);
    let rows = db.conn().query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(TenantId(row.try_get("", "tenant_id")?))).collect()
}
