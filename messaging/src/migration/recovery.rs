//! Recovery kits, resets that were asked for, and linkings.

use sea_orm_migration::prelude::*;

pub(crate) struct Recovery;

impl MigrationName for Recovery {
    fn name(&self) -> &'static str {
        "m20261122_000001_messaging_recovery"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Recovery {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(recovery_kits()).await?;
        manager.create_table(account_resets()).await?;
        manager.create_table(linkings()).await?;
        manager
            .create_index(
                Index::create()
                    .name("linkings_user")
                    .table("linkings")
                    .col("tenant_id")
                    .col("user_id")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("linkings_expires_at")
                    .table("linkings")
                    .col("expires_at")
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["linkings", "account_resets", "recovery_kits"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

/// The root key of an account, sealed under a recovery key that never leaves the person.
fn recovery_kits() -> TableCreateStatement {
    of_user("recovery_kits")
        .col(ColumnDef::new("kit").blob().not_null())
        .col(ColumnDef::new("created_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("user_id"))
        .to_owned()
}

/// One row for a user whose account is asked to begin anew.
fn account_resets() -> TableCreateStatement {
    of_user("account_resets")
        .col(ColumnDef::new("requested_at").big_integer().not_null())
        .col(ColumnDef::new("effective_at").big_integer().not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .primary_key(Index::create().col("tenant_id").col("user_id"))
        .to_owned()
}

/// One row for a user who is linking a device, with the sealed messages that have been left.
/// `taken_by` is the approver whose first message took it.
fn linkings() -> TableCreateStatement {
    of_user("linkings")
        .col(ColumnDef::new("linking_id").uuid().not_null())
        .col(ColumnDef::new("expires_at").big_integer().not_null())
        .col(ColumnDef::new("taken_by").uuid())
        .col(ColumnDef::new("message_1").blob())
        .col(ColumnDef::new("message_2").blob())
        .col(ColumnDef::new("message_3").blob())
        .primary_key(Index::create().col("tenant_id").col("linking_id"))
        .to_owned()
}

/// Begins a table whose rows belong to a user with an account.
fn of_user(table: &'static str) -> TableCreateStatement {
    Table::create()
        .table(table)
        .col(ColumnDef::new("tenant_id").uuid().not_null())
        .col(ColumnDef::new("user_id").uuid().not_null())
        .foreign_key(
            ForeignKey::create()
                .from_col("tenant_id")
                .from_col("user_id")
                .to_tbl("accounts")
                .to_col("tenant_id")
                .to_col("user_id"),
        )
        .to_owned()
}
