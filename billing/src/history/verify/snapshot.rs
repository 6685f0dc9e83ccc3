//! One state of the database, for as long as a verification takes.

use plasma_kit::Db;
use plasma_kit::db::{Scope, StoreError};
use plasma_kit::ids::TenantId;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseTransaction, DbBackend, IsolationLevel, Statement,
    TransactionTrait,
};

/// A transaction that only reads.
pub(super) struct Snapshot(DatabaseTransaction);

/// A tenant's books in a snapshot.
pub(super) struct SnapshotOf<'a> {
    snapshot: &'a Snapshot,
    tenant: TenantId,
}

/// The tables that a tenant's books begin in.
const TABLES: [&str; 6] = [
    "ledger_transactions",
    "ledger_postings",
    "ledger_accounts",
    "ledger_chain",
    "ledger_unfolded",
    "charges",
];

impl Snapshot {
    pub(super) async fn take(db: &Db) -> Result<Self, StoreError> {
        let system = db.system();
        if system.backend() != DbBackend::Postgres {
            // The first read takes the state of that moment.
            return Ok(Self(system.conn().begin().await?));
        }
        let (level, mode) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
        let tx = system.conn().begin_with_config(Some(level), Some(mode)).await?;
        // Sums over all postings of a popular account take their time.
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        Ok(Self(tx))
    }

    pub(super) fn of(&self, tenant: TenantId) -> SnapshotOf<'_> {
        SnapshotOf { snapshot: self, tenant }
    }

    /// The first tenant with books after another, in the order of ids.
    pub(super) async fn next_tenant(
        &self,
        after: TenantId,
    ) -> Result<Option<TenantId>, StoreError> {
        let firsts = TABLES.map(|table| {
            format!(
                "SELECT tenant_id FROM (SELECT tenant_id FROM {table} WHERE tenant_id > $1 \
                 ORDER BY tenant_id LIMIT 1) AS first_of_{table}"
            )
        });
        let sql = format!("{} ORDER BY tenant_id LIMIT 1", firsts.join(" UNION ALL "));
        let backend = self.0.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, [after.0.into()]);
        let row = self.0.query_one_raw(statement).await?;
        row.map(|row| Ok(TenantId(row.try_get("", "tenant_id")?))).transpose()
    }
}

impl SnapshotOf<'_> {
    pub(super) fn id(&self) -> TenantId {
        self.tenant
    }

    /// Another tenant's books in the same state.
    pub(super) fn peer(&self, tenant: TenantId) -> Self {
        Self { snapshot: self.snapshot, tenant }
    }
}

impl Scope for SnapshotOf<'_> {
    type Connection = DatabaseTransaction;

    fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn conn(&self) -> &DatabaseTransaction {
        &self.snapshot.0
    }
}
