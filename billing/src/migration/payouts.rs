//! What recipients are paid, and the index by which refunds are found.

use sea_orm_migration::prelude::*;

use super::{make_immutable, number, text, uuid};

pub(super) struct Payouts;

impl MigrationName for Payouts {
    fn name(&self) -> &'static str {
        "m20261122_000061_billing_payouts"
    }
}

/// Transactions that take another one back: few among very many.
const REVERSALS: &str = "CREATE INDEX ledger_transactions_reversals \
                         ON ledger_transactions (tenant_id, created_at, id) \
                         WHERE reverses_id IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Payouts {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(payables()).await?;
        manager.create_table(payouts()).await?;
        let newest = Index::create()
            .name("payouts_newest")
            .table("payouts")
            .col("tenant_id")
            .col("created_at")
            .col("id")
            .to_owned();
        manager.create_index(newest).await?;
        manager.get_connection().execute_unprepared(REVERSALS).await?;
        make_immutable(manager, "payouts").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::drop().name("ledger_transactions_reversals").to_owned();
        manager.drop_index(index).await?;
        for table in ["payouts", "ledger_payables"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// What was paid out of a recipient's earnings: the row that keeps two payouts from paying the same
/// money. Charges never touch it.
fn payables() -> TableCreateStatement {
    Table::create()
        .table("ledger_payables")
        .col(uuid("tenant_id"))
        .col(uuid("account_id"))
        .col(number("paid_out"))
        .primary_key(Index::create().col("tenant_id").col("account_id"))
        .check(Expr::cust("paid_out >= 0"))
        .to_owned()
}

fn payouts() -> TableCreateStatement {
    Table::create()
        .table("payouts")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(uuid("recipient_user_id"))
        .col(text("currency", 3))
        .col(number("minor_units"))
        .col(text("reference", 80))
        .col(uuid("transaction_id"))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(
            Index::create()
                .unique()
                .name("payouts_transaction")
                .col("tenant_id")
                .col("transaction_id"),
        )
        .check(Expr::cust("minor_units > 0"))
        .to_owned()
}
