//! Tenants' own wallets: how to call them, what was asked of them, and where the books differ.

use sea_orm_migration::prelude::*;

use super::{number, text, uuid};

pub(super) struct External;

impl MigrationName for External {
    fn name(&self) -> &'static str {
        "m20261122_000040_billing_external"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for External {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(providers()).await?;
        manager.create_table(operations()).await?;
        manager.create_table(reconciliations()).await?;
        manager.create_table(findings()).await?;
        for (name, columns, condition) in [
            ("external_operations_newest", "tenant_id, created_at, id", ""),
            ("external_operations_charge", "charge_id", "WHERE charge_id IS NOT NULL"),
            ("external_operations_due", "next_attempt_at", "WHERE closed_at IS NULL"),
            ("external_operations_open", "tenant_id", "WHERE closed_at IS NULL"),
        ] {
            let sql = format!("CREATE INDEX {name} ON external_operations ({columns}) {condition}");
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        let sql = "CREATE INDEX external_reconciliations_due \
                   ON external_reconciliations (next_attempt_at) WHERE state = 1";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "external_findings",
            "external_reconciliations",
            "external_operations",
            "wallet_providers",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn providers() -> TableCreateStatement {
    Table::create()
        .table("wallet_providers")
        .col(uuid("tenant_id"))
        .col(text("url", 255))
        .col(ColumnDef::new("secret_sealed").blob().not_null())
        .col(ColumnDef::new("concurrency_max").integer().not_null())
        .col(number("updated_at"))
        .primary_key(Index::create().col("tenant_id"))
        .to_owned()
}

/// Operations are kept by the payer's tenant. A debt is paid by one at a time: the next attempt has
/// the next number, and two that begin it meet at the unique index.
fn operations() -> TableCreateStatement {
    Table::create()
        .table("external_operations")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(ColumnDef::new("kind").small_integer().not_null())
        .col(uuid("user_id"))
        .col(text("currency", 3))
        .col(number("minor_units"))
        .col(text("obligation", 80))
        .col(number("attempt"))
        .col(ColumnDef::new("state").small_integer().not_null())
        .col(number("captured_minor_units"))
        .col(ColumnDef::new("decline_reason").integer().not_null())
        .col(number("available_minor_units"))
        .col(ColumnDef::new("reserve_id").uuid())
        .col(ColumnDef::new("charge_tenant_id").uuid())
        .col(ColumnDef::new("charge_id").uuid())
        .col(number("failed_attempts"))
        .col(number("hold_until"))
        // Who drives it, and until when nobody else may; nil and 0 for nobody.
        .col(uuid("lease"))
        .col(number("lease_until"))
        .col(number("next_attempt_at"))
        .col(number("created_at"))
        .col(number("updated_at"))
        .col(ColumnDef::new("closed_at").big_integer())
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(
            Index::create()
                .unique()
                .name("external_operations_attempt")
                .col("tenant_id")
                .col("obligation")
                .col("user_id")
                .col("kind")
                .col("attempt"),
        )
        .check(Expr::cust("minor_units > 0"))
        .check(Expr::cust("captured_minor_units >= 0"))
        .to_owned()
}

fn reconciliations() -> TableCreateStatement {
    Table::create()
        .table("external_reconciliations")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(number("day"))
        .col(ColumnDef::new("state").small_integer().not_null())
        .col(number("matched"))
        .col(number("findings"))
        .col(number("lease_until"))
        .col(number("next_attempt_at"))
        .col(ColumnDef::new("compared_at").big_integer())
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(
            Index::create()
                .unique()
                .name("external_reconciliations_day")
                .col("tenant_id")
                .col("day"),
        )
        .to_owned()
}

fn findings() -> TableCreateStatement {
    Table::create()
        .table("external_findings")
        .col(uuid("tenant_id"))
        .col(uuid("reconciliation_id"))
        .col(number("line"))
        .col(ColumnDef::new("kind").small_integer().not_null())
        .col(text("operation_id", 80))
        .col(text("currency", 3))
        .col(number("own_minor_units"))
        .col(number("provider_minor_units"))
        .primary_key(Index::create().col("tenant_id").col("reconciliation_id").col("line"))
        .to_owned()
}
