//! The schema of all contexts, brought up to date by one node at a time.

use anyhow::{Context, Result};
use plasma_kit::Db;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = plasma_kit::migration::migrations();
        all.extend(plasma_tenant::migration::migrations());
        all.extend(plasma_billing::migration::migrations());
        all.extend(plasma_messaging::migration::migrations());
        all.sort_by(|one, other| one.name().cmp(other.name()));
        all
    }
}

/// "plasma" in numbers: nodes that migrate at once wait for each other on it.
const LOCK: i64 = 0x70_6c_61_73_6d_61;

/// Brings the schema up to date; all of it, or nothing.
pub async fn up(db: &Db) -> Result<()> {
    let tx = db.for_migrations().begin().await?;
    if db.backend() == DbBackend::Postgres {
        let lock = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT pg_advisory_xact_lock($1)",
            [LOCK.into()],
        );
        tx.execute_raw(lock).await?;
    }
    Migrator::up(&tx, None).await.context("a migration failed; nothing was changed")?;
    tx.commit().await?;
    Ok(())
}

/// The migrations that the database lacks.
pub async fn pending(db: &Db) -> Result<Vec<String>> {
    let pending = Migrator::get_pending_migrations(db.for_migrations()).await?;
    Ok(pending.iter().map(|migration| migration.name().to_owned()).collect())
}
