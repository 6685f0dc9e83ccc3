//! The history of a ledger that can be proved: what waits for the folder, the chain, the tree, and
//! the balances of accounts without a floor.

use sea_orm_migration::prelude::*;

use super::{make_immutable, number, uuid};

pub(super) struct History;

const TABLES: [&str; 6] = [
    "ledger_unfolded",
    "ledger_chain",
    "ledger_subtrees",
    "ledger_heads",
    "ledger_checkpoints",
    "ledger_folded",
];

impl MigrationName for History {
    fn name(&self) -> &'static str {
        "m20261122_000060_billing_history"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for History {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [unfolded(), chain(), subtrees(), heads(), checkpoints(), folded()] {
            manager.create_table(table).await?;
        }
        for table in ["ledger_chain", "ledger_subtrees", "ledger_checkpoints"] {
            make_immutable(manager, table).await?;
        }
        // What was posted before there was a history begins it.
        let sql = "INSERT INTO ledger_unfolded (tenant_id, transaction_id, created_at) \
                   SELECT tenant_id, id, created_at FROM ledger_transactions";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn bytes(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).binary().not_null().take()
}

/// One row for each transaction, written with it. The folder deletes it.
fn unfolded() -> TableCreateStatement {
    Table::create()
        .table("ledger_unfolded")
        .col(uuid("tenant_id"))
        .col(uuid("transaction_id"))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("transaction_id"))
        .to_owned()
}

/// The transactions of a tenant in the order in which they were folded.
fn chain() -> TableCreateStatement {
    Table::create()
        .table("ledger_chain")
        .col(uuid("tenant_id"))
        // From 1, without a gap.
        .col(number("number"))
        .col(uuid("transaction_id"))
        .col(bytes("entry_hash"))
        .col(bytes("chain_hash"))
        .primary_key(Index::create().col("tenant_id").col("number"))
        .index(
            Index::create()
                .unique()
                .name("ledger_chain_transaction")
                .col("tenant_id")
                .col("transaction_id"),
        )
        .to_owned()
}

/// Perfect subtrees of 256, 65,536 and so on entries, so that a path needs few rows.
fn subtrees() -> TableCreateStatement {
    Table::create()
        .table("ledger_subtrees")
        .col(uuid("tenant_id"))
        .col(ColumnDef::new("height").small_integer().not_null())
        .col(number("position"))
        .col(bytes("hash"))
        .primary_key(Index::create().col("tenant_id").col("height").col("position"))
        .to_owned()
}

/// Where a tenant's history ends, and the signed checkpoint of it. Who folds holds the row.
fn heads() -> TableCreateStatement {
    Table::create()
        .table("ledger_heads")
        .col(uuid("tenant_id"))
        .col(number("size"))
        .col(bytes("chain_hash"))
        // The roots of the perfect subtrees, the greatest first.
        .col(bytes("frontier"))
        .col(bytes("root_hash"))
        .col(number("signed_at"))
        .col(bytes("signature"))
        .primary_key(Index::create().col("tenant_id"))
        .to_owned()
}

/// Checkpoints that are kept for ever: one an hour while there is something new.
fn checkpoints() -> TableCreateStatement {
    Table::create()
        .table("ledger_checkpoints")
        .col(uuid("tenant_id"))
        .col(number("size"))
        .col(bytes("chain_hash"))
        .col(bytes("root_hash"))
        .col(number("signed_at"))
        .col(bytes("signature"))
        .primary_key(Index::create().col("tenant_id").col("size"))
        .to_owned()
}

/// What was posted, and folded, on accounts without a floor.
fn folded() -> TableCreateStatement {
    Table::create()
        .table("ledger_folded")
        .col(uuid("tenant_id"))
        .col(uuid("account_id"))
        .col(number("posted"))
        .primary_key(Index::create().col("tenant_id").col("account_id"))
        .to_owned()
}
