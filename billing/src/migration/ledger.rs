//! The ledger: accounts, balances of those with a floor, transactions, postings.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use super::{make_immutable, number, text, uuid};

pub(super) struct Ledger;

impl MigrationName for Ledger {
    fn name(&self) -> &'static str {
        "m20261121_000001_billing_ledger"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Ledger {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(accounts()).await?;
        manager.create_table(balances()).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            // A balance is rewritten by every movement: room on its page keeps it there.
            let sql = "ALTER TABLE ledger_balances SET (fillfactor = 70)";
            manager.get_connection().execute_unprepared(sql).await?;
        }
        manager.create_table(transactions()).await?;
        manager.create_table(postings()).await?;
        for index in posting_indexes() {
            manager.create_index(index).await?;
        }
        make_immutable(manager, "ledger_transactions").await?;
        make_immutable(manager, "ledger_postings").await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in
            ["ledger_postings", "ledger_transactions", "ledger_balances", "ledger_accounts"]
        {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn accounts() -> TableCreateStatement {
    Table::create()
        .table("ledger_accounts")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(ColumnDef::new("purpose").small_integer().not_null())
        .col(uuid("owner_id"))
        .col(text("currency", 3))
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(
            Index::create()
                .unique()
                .name("ledger_accounts_identity")
                .col("tenant_id")
                .col("purpose")
                .col("owner_id")
                .col("currency"),
        )
        .to_owned()
}

fn balances() -> TableCreateStatement {
    Table::create()
        .table("ledger_balances")
        .col(uuid("tenant_id"))
        .col(uuid("account_id"))
        .col(number("posted"))
        .col(number("held"))
        .col(number("credit_limit"))
        // How many movements made the balance; each posting carries its number.
        .col(number("version"))
        .primary_key(Index::create().col("tenant_id").col("account_id"))
        .foreign_key(
            ForeignKey::create()
                .name("ledger_balances_account")
                .from("ledger_balances", ("tenant_id", "account_id"))
                .to("ledger_accounts", ("tenant_id", "id")),
        )
        .check(Expr::cust("held >= 0"))
        .check(Expr::cust("credit_limit >= 0"))
        .check(Expr::cust("posted - held + credit_limit >= 0"))
        .to_owned()
}

fn transactions() -> TableCreateStatement {
    Table::create()
        .table("ledger_transactions")
        .col(uuid("tenant_id"))
        .col(uuid("id"))
        .col(ColumnDef::new("kind").small_integer().not_null())
        .col(text("external_id", 80))
        .col(text("reference", 80))
        // The transaction that this one takes back.
        .col(ColumnDef::new("reverses_id").uuid())
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("id"))
        .index(
            Index::create()
                .unique()
                .name("ledger_transactions_external_id")
                .col("tenant_id")
                .col("kind")
                .col("external_id"),
        )
        .to_owned()
}

/// A posting has no foreign key to its account: on `PostgreSQL` the check locks the account's row,
/// and the one revenue account of a tenant would be a hot row after all. The account's id is made
/// from the tenant and the currency, and its row is inserted by the same statement sequence.
fn postings() -> TableCreateStatement {
    Table::create()
        .table("ledger_postings")
        .col(uuid("tenant_id"))
        .col(uuid("transaction_id"))
        .col(ColumnDef::new("line").small_integer().not_null())
        .col(uuid("account_id"))
        .col(text("currency", 3))
        .col(number("minor_units"))
        // On wallets only.
        .col(ColumnDef::new("balance_after").big_integer())
        .col(ColumnDef::new("account_version").big_integer())
        .col(number("created_at"))
        .primary_key(Index::create().col("tenant_id").col("transaction_id").col("line"))
        .foreign_key(
            ForeignKey::create()
                .name("ledger_postings_transaction")
                .from("ledger_postings", ("tenant_id", "transaction_id"))
                .to("ledger_transactions", ("tenant_id", "id")),
        )
        .check(Expr::cust("minor_units <> 0"))
        .check(Expr::cust("balance_after >= 0"))
        .to_owned()
}

fn posting_indexes() -> [IndexCreateStatement; 2] {
    let entries = Index::create()
        .unique()
        .name("ledger_postings_account_version")
        .table("ledger_postings")
        .col("tenant_id")
        .col("account_id")
        .col("account_version")
        .to_owned();
    let statement = Index::create()
        .name("ledger_postings_created_at")
        .table("ledger_postings")
        .col("tenant_id")
        .col("currency")
        .col("created_at")
        .to_owned();
    [entries, statement]
}
